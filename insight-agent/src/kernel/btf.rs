//! Where the running kernel keeps a struct's members, from its BTF (Documentation/bpf/btf.rst).
//!
//! aya has a reader, but does not show members. This one knows as much as a lookup of offsets needs.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};

const MAGIC: u16 = 0xeb9f;
const HEADER: usize = 24;

const INT: u32 = 1;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// Structs do not nest deeper in any kernel; a damaged file may claim it.
const MAX_DEPTH: usize = 16;

/// Members that are looked at for one name; the kernel's largest struct has some hundreds. Structs that hold themselves, as a damaged
/// file may claim, have no end.
const MAX_LOOKS: usize = 10_000;

/// A kernel's types.
pub(super) struct Btf<'a> {
    data: &'a [u8],
    strings: usize,
    /// Where each type starts; index 0 is `void`.
    types: Vec<usize>,
    structs: HashMap<&'a str, u32>,
}

impl<'a> Btf<'a> {
    /// Reads the index of a BTF file in native byte order.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self> {
        if data.len() < HEADER || data[..2] != MAGIC.to_ne_bytes() {
            bail!("this is not BTF in this machine's byte order");
        }
        let mut btf = Self {
            data,
            strings: 0,
            types: vec![0],
            structs: HashMap::new(),
        };
        let header = btf.number(4)? as usize;
        let (types, length) = (btf.number(8)? as usize, btf.number(12)? as usize);
        btf.strings = header + btf.number(16)? as usize;
        let mut at = header + types;
        let end = at + length;
        while at < end {
            let info = btf.number(at + 4)?;
            let (kind, count) = ((info >> 24) & 31, (info & 0xffff) as usize);
            if kind == STRUCT {
                let name = btf.string(btf.number(at)?)?;
                let id = u32::try_from(btf.types.len()).context("too many types")?;
                btf.structs.entry(name).or_insert(id);
            }
            btf.types.push(at);
            at += 12
                + match kind {
                    INT | VAR | DECL_TAG => 4,
                    ARRAY => 12,
                    STRUCT | UNION | DATASEC | ENUM64 => 12 * count,
                    ENUM | FUNC_PROTO => 8 * count,
                    _ => 0,
                };
        }
        Ok(btf)
    }

    /// Byte offset of a member such as `__sk_common.skc_net.net`, also through anonymous structs and unions; `None` if this
    /// kernel has no such struct or member.
    pub(super) fn offset(&self, name: &str, path: &str) -> Result<Option<u32>> {
        Ok(self.bit_offset(name, path)?.map(|bits| bits / 8))
    }

    /// The same in bits.
    pub(super) fn bit_offset(&self, name: &str, path: &str) -> Result<Option<u32>> {
        let Some(&id) = self.structs.get(name) else {
            return Ok(None);
        };
        let (mut id, mut bits) = (id, 0);
        for member in path.split('.') {
            let mut looks = MAX_LOOKS;
            let holder = self.strip(id)?;
            let Some((offset, kind)) = self.member(holder, member, MAX_DEPTH, &mut looks)? else {
                return Ok(None);
            };
            bits = sum(bits, offset)?;
            id = kind;
        }
        Ok(Some(bits))
    }

    /// Offset in bits, and type, of a member. `looks` is how many more members may be looked at.
    fn member(
        &self,
        id: u32,
        name: &str,
        depth: usize,
        looks: &mut usize,
    ) -> Result<Option<(u32, u32)>> {
        let at = self.start(id)?;
        let info = self.number(at + 4)?;
        if !matches!((info >> 24) & 31, STRUCT | UNION) || depth == 0 {
            return Ok(None);
        }
        let bitfields = info >> 31 == 1;
        for index in 0..(info & 0xffff) as usize {
            *looks = looks.checked_sub(1).context("a BTF struct has no end")?;
            let entry = at + 12 + 12 * index;
            let (label, kind) = (self.string(self.number(entry)?)?, self.number(entry + 4)?);
            let mut offset = self.number(entry + 8)?;
            if bitfields {
                offset &= 0xff_ffff;
            }
            if label == name {
                return Ok(Some((offset, kind)));
            }
            if label.is_empty()
                && let Some((inner, kind)) =
                    self.member(self.strip(kind)?, name, depth - 1, looks)?
            {
                return Ok(Some((sum(offset, inner)?, kind)));
            }
        }
        Ok(None)
    }

    /// The type behind names and qualifiers.
    fn strip(&self, mut id: u32) -> Result<u32> {
        for _ in 0..MAX_DEPTH {
            let at = self.start(id)?;
            match (self.number(at + 4)? >> 24) & 31 {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => id = self.number(at + 8)?,
                _ => break,
            }
        }
        Ok(id)
    }

    fn start(&self, id: u32) -> Result<usize> {
        self.types
            .get(id as usize)
            .copied()
            .with_context(|| format!("BTF names type {id}, which it does not have"))
    }

    fn number(&self, at: usize) -> Result<u32> {
        let bytes = self.data.get(at..at + 4).context("BTF ends early")?;
        Ok(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn string(&self, offset: u32) -> Result<&'a str> {
        let tail = self
            .data
            .get(self.strings + offset as usize..)
            .context("BTF ends early")?;
        let end = tail
            .iter()
            .position(|byte| *byte == 0)
            .context("BTF ends early")?;
        std::str::from_utf8(&tail[..end]).context("a BTF name is not UTF-8")
    }
}

fn sum(outer: u32, inner: u32) -> Result<u32> {
    let sum = outer.checked_add(inner);
    sum.context("a BTF member lies beyond its struct")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct outer { int a; union { struct { short b; volatile struct inner c; }; }; }; struct inner { int d; int e; }`
    fn sample() -> Vec<u8> {
        let names = b"\0outer\0inner\0a\0b\0c\0d\0e\0int\0";
        let name = |name: &str| -> u32 {
            let text = String::from_utf8(names.to_vec()).unwrap();
            u32::try_from(text.find(&format!("\0{name}\0")).unwrap() + 1).unwrap()
        };
        let mut types: Vec<u32> = vec![];
        types.extend([name("int"), INT << 24, 4, 32]);
        types.extend([
            name("inner"),
            STRUCT << 24 | 2,
            8,
            name("d"),
            1,
            0,
            name("e"),
            1,
            32,
        ]);
        types.extend([0, VOLATILE << 24, 2]);
        types.extend([0, STRUCT << 24 | 2, 12, name("b"), 1, 0, name("c"), 3, 32]);
        types.extend([0, UNION << 24 | 1, 12, 0, 4, 0]);
        types.extend([
            name("outer"),
            STRUCT << 24 | 2,
            16,
            name("a"),
            1,
            0,
            0,
            5,
            32,
        ]);
        let mut data = vec![];
        data.extend(MAGIC.to_ne_bytes());
        data.extend([1, 0]);
        let length = u32::try_from(types.len() * 4).unwrap();
        for word in [24, 0, length, length, u32::try_from(names.len()).unwrap()] {
            data.extend(word.to_ne_bytes());
        }
        data.extend(types.iter().flat_map(|word| word.to_ne_bytes()));
        data.extend(names);
        data
    }

    #[test]
    fn finds_members_through_anonymous_and_qualified_types() {
        let data = sample();
        let btf = Btf::parse(&data).unwrap();
        let offset = |name, path| btf.offset(name, path).unwrap();
        assert_eq!(offset("outer", "a"), Some(0));
        assert_eq!(offset("outer", "b"), Some(4));
        assert_eq!(offset("outer", "c.e"), Some(12));
        assert_eq!(offset("outer", "nothing"), None);
        assert_eq!(offset("nothing", "a"), None);
    }

    #[test]
    fn damaged_files_are_errors_and_never_panics() {
        let data = sample();
        assert!(Btf::parse(b"").is_err());
        assert!(Btf::parse(&data[..30]).is_err());
        for at in 0..data.len() {
            let mut damaged = data.clone();
            damaged[at] ^= 0xff;
            if let Ok(btf) = Btf::parse(&damaged) {
                let _any = btf.offset("outer", "c.e");
            }
        }
    }
}
