//! As much of JSON Schema as the document uses, and stricter: a property that is not described is an error.

use serde_json::Value;

/// Whether `value` is as `schema` says; if not, where.
pub(super) fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        let target = document.pointer(pointer).ok_or("a reference to nowhere")?;
        return check(document, target, value);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fit = choices
            .iter()
            .filter(|choice| check(document, choice, value).is_ok());
        return match fit.count() {
            1 => Ok(()),
            count => Err(format!("{count} choices fit {value}")),
        };
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(format!("{value} is none of {allowed:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Err(format!("no type in {schema}")),
    };
    if !types.iter().any(|kind| is(value, kind)) {
        return Err(format!("{value} is not of type {types:?}"));
    }
    match value {
        Value::Object(_) => object(document, schema, value),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(at, item)| {
            check(document, &schema["items"], item).map_err(|why| format!("[{at}]{why}"))
        }),
        Value::Number(number) => match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
            (Some(least), _) if number.as_f64() < Some(least) => {
                Err(format!("{number} is too small"))
            }
            (_, Some(most)) if number.as_f64() > Some(most) => {
                Err(format!("{number} is too large"))
            }
            _ => Ok(()),
        },
        Value::String(text) if schema["format"] == "date-time" => {
            let parsed = text.parse::<jiff::Timestamp>();
            parsed.map(drop).map_err(|why| why.to_string())
        }
        _ => Ok(()),
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn object(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if value.get(name).is_none() {
            return Err(format!(".{name} is missing"));
        }
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let described = schema["properties"]
            .get(name)
            .or_else(|| schema.get("additionalProperties"))
            .ok_or_else(|| format!(".{name} is not described"))?;
        // Whatever another API has.
        if *described == true {
            continue;
        }
        check(document, described, field).map_err(|why| format!(".{name}{why}"))?;
    }
    Ok(())
}
