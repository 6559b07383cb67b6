//! Writes BTF, and knows where it put everything: the other side of [`super::btf`].

const INT: u32 = 1;
const POINTER: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const FUNC_PROTO: u32 = 13;
const FLOAT: u32 = 16;
const ENUM64: u32 = 19;

/// A type as C has it.
#[derive(Clone, Debug)]
pub(super) enum Type {
    Int {
        size: u32,
    },
    Struct {
        is_union: bool,
        members: Vec<Member>,
    },
}

/// A member of a struct or union.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// One without a name lends the names of its own members.
    pub(super) is_named: bool,
    pub(super) of: Type,
    /// How many of `typedef`, `const` and `volatile` are around its type.
    pub(super) qualifiers: usize,
}

/// A path to a member, and its offset in bytes.
type Place = (String, u32);

/// A type that was written.
struct Written {
    id: u32,
    size: u32,
    /// Where everything in it is that has a name.
    places: Vec<Place>,
}

/// A BTF file that grows.
pub(super) struct Encoder {
    types: Vec<u32>,
    names: Vec<u8>,
    last: u32,
    members: u32,
    has_bitfields: bool,
}

impl Encoder {
    /// `has_bitfields`: structs say of each member how many bits it has, which is 0 for those that are none.
    pub(super) fn new(has_bitfields: bool) -> Self {
        Self {
            types: Vec::new(),
            names: vec![0],
            last: 0,
            members: 0,
            has_bitfields,
        }
    }

    /// One type of each form that no struct of ours uses.
    pub(super) fn unrelated(&mut self) {
        let int = self.int(4);
        let name = self.name("inner");
        self.push(name, POINTER << 24, &[int]);
        self.push(0, ARRAY << 24, &[0, int, int, 7]);
        self.push(name, ENUM << 24 | 2, &[4, name, 0, name, 1]);
        self.push(name, ENUM64 << 24 | 1, &[8, name, 1, 2]);
        self.push(0, FUNC_PROTO << 24 | 2, &[int, name, int, 0, 0]);
        self.push(name, FLOAT << 24, &[8]);
    }

    /// Writes a struct with a name, and answers where everything in it is.
    pub(super) fn named(&mut self, name: &str, of: &Type) -> Vec<Place> {
        let whole = Type::Struct {
            is_union: false,
            members: vec![Member {
                is_named: false,
                of: of.clone(),
                qualifiers: 0,
            }],
        };
        let of = match of {
            Type::Struct {
                is_union: false, ..
            } => of,
            // A union's or a number's name is not looked up.
            _ => &whole,
        };
        self.write(name, of).places
    }

    fn write(&mut self, name: &str, of: &Type) -> Written {
        let (is_union, members) = match of {
            Type::Int { size } => {
                return Written {
                    id: self.int(*size),
                    size: *size,
                    places: Vec::new(),
                };
            }
            Type::Struct { is_union, members } => (*is_union, members),
        };
        let (mut at, mut size, mut places, mut entries) = (0, 0, Vec::new(), Vec::new());
        for member in members {
            let inner = self.write("", &member.of);
            let id = (0..member.qualifiers).fold(inner.id, |id, turn| {
                let kind = [TYPEDEF, CONST, VOLATILE][turn % 3];
                let name = if kind == TYPEDEF {
                    self.name("alias")
                } else {
                    0
                };
                self.push(name, kind << 24, &[id])
            });
            let label = if member.is_named {
                self.members += 1;
                format!("m{}", self.members)
            } else {
                String::new()
            };
            entries.extend([self.name(&label), id, 8 * at]);
            if member.is_named {
                places.push((label.clone(), at));
            }
            places.extend(inner.places.into_iter().map(|(path, offset)| {
                let path = if member.is_named {
                    format!("{label}.{path}")
                } else {
                    path
                };
                (path, at + offset)
            }));
            size = size.max(at + inner.size);
            if !is_union {
                at += inner.size;
            }
        }
        let kind = if is_union { UNION } else { STRUCT };
        let count = u32::try_from(members.len()).unwrap();
        let flag = u32::from(self.has_bitfields) << 31;
        let name = self.name(name);
        entries.insert(0, size);
        let id = self.push(name, flag | kind << 24 | count, &entries);
        Written { id, size, places }
    }

    /// A struct whose members without names are all itself.
    pub(super) fn ring(copies: u32) -> Vec<u8> {
        let mut encoder = Self::new(false);
        let name = encoder.name("ring");
        let mut entries = vec![4];
        (0..copies).for_each(|_| entries.extend([0, 1, 0]));
        encoder.push(name, STRUCT << 24 | copies, &entries);
        encoder.finish()
    }

    /// The file.
    pub(super) fn finish(self) -> Vec<u8> {
        let types = u32::try_from(4 * self.types.len()).unwrap();
        let names = u32::try_from(self.names.len()).unwrap();
        let mut data = 0xeb9f_u16.to_ne_bytes().to_vec();
        data.extend([1, 0]);
        let header = [24, 0, types, types, names];
        let words = header.iter().chain(&self.types);
        data.extend(words.flat_map(|word| word.to_ne_bytes()));
        data.extend(self.names);
        data
    }

    fn int(&mut self, size: u32) -> u32 {
        let name = self.name("int");
        self.push(name, INT << 24, &[size, 8 * size])
    }

    /// The type's number.
    fn push(&mut self, name: u32, info: u32, rest: &[u32]) -> u32 {
        self.types.extend([name, info]);
        // A type has its name, its info, and a size or another type, which some leave empty.
        self.types.extend(rest);
        self.last += 1;
        self.last
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.names.len()).unwrap();
        self.names.extend(name.as_bytes());
        self.names.push(0);
        at
    }
}
