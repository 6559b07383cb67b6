use super::*;

fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
    let selector = Selector::parse(selector).unwrap();
    let value = |key: &str| labels.iter().find(|(known, _)| *known == key);
    selector.matches(|key| value(key).map(|(_, value)| *value))
}

#[test]
fn what_kubernetes_selects_is_selected() {
    let labels = [("app", "web"), ("example.com/tier", "front"), ("empty", "")];
    for (selector, expected) in [
        ("", true),
        ("app", true),
        ("!app", false),
        ("!other", true),
        ("other", false),
        ("app=web", true),
        ("app==web", true),
        (" app = web ", true),
        ("app=api", false),
        ("other=web", false),
        ("app!=web", false),
        ("app!=api", true),
        ("other!=web", true),
        ("empty=", true),
        ("app=", false),
        ("other!=", true),
        ("app in (web)", true),
        ("app in ( api , web )", true),
        ("app in (api,db)", false),
        ("app in (,web)", true),
        ("other in (web)", false),
        ("app notin (web,api)", false),
        ("app notin (api)", true),
        ("other notin (web)", true),
        ("app=web,example.com/tier=front", true),
        ("app=web,example.com/tier in (back,front),!other", true),
        ("app=web,example.com/tier notin (front)", false),
        ("app=web,app=api", false),
    ] {
        assert_eq!(matches(selector, &labels), expected, "{selector}");
    }
}

#[test]
fn the_order_and_the_spelling_do_not_matter() {
    let parse = |text| Selector::parse(text).unwrap();
    let selector = parse("app in (web,api),!x,tier=db");
    assert_eq!(selector, parse("tier==db , !x , app in (api, web,api),!x"));
    assert_eq!(parse("a=b"), parse("a in (b)"));
    assert_ne!(parse("a=b"), parse("a!=b"));
    assert!(parse(" ").is_empty() && !selector.is_empty());
}

#[test]
fn what_is_none_is_refused_with_its_part() {
    let long = "x".repeat(64);
    for (text, said) in [
        (",", "nothing between"),
        ("a=b,", "nothing between"),
        ("a=b,,c=d", "nothing between"),
        ("=b", "\"\" cannot be the key"),
        ("!", "\"\" cannot be the key"),
        ("a b", "\"a b\" cannot be the key"),
        ("a/b/c", "\"a/b/c\" cannot be the key"),
        ("/a", "\"/a\" cannot be the key"),
        ("-a=b", "\"-a\" cannot be the key"),
        ("é", "\"é\" cannot be the key"),
        ("a=b c", "\"b c\" cannot be the value"),
        ("a=b=c", "\"b=c\" cannot be the value"),
        ("a=-", "\"-\" cannot be the value"),
        ("!a=b", "\"a=b\" cannot be the key"),
        ("a>1", "\"a>1\" cannot be the key"),
        ("a in b", "\"a in b\" cannot be the key"),
        ("a in (b", "not closed"),
        ("a in b)", "a parenthesis too many"),
        ("a in ((b))", "a parenthesis too many"),
        ("a in ()", "lists no value"),
        ("a in (b) c", "follows the parenthesis"),
        ("a is (b)", "\"is\" is no operator"),
        ("in(b)", "no operator"),
        (&format!("{long}=b"), "cannot be the key"),
        (&format!("a={long}"), "cannot be the value"),
    ] {
        let error = Selector::parse(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}
