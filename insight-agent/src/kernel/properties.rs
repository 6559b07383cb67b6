//! What holds for every text and every table of types that a kernel can have.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::btf::Btf;
use super::btf_encoder::{Encoder, Member, Type};
use super::pins::holder;
use super::{Release, capabilities};
use crate::trying::holds;

/// A struct or union as C has it: members with names, and ones without that lend theirs.
fn structure() -> impl Strategy<Value = Type> {
    let leaf = (1_u32..9).prop_map(|words| Type::Int { size: 4 * words });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let member = (any::<bool>(), inner, 0_usize..3).prop_map(|(is_named, of, qualifiers)| {
            Member {
                // Only what has members itself may go without a name.
                is_named: is_named || !matches!(of, Type::Struct { .. }),
                of,
                qualifiers,
            }
        });
        (any::<bool>(), proptest::collection::vec(member, 1..5))
            .prop_map(|(is_union, members)| Type::Struct { is_union, members })
    })
}

/// Each path into a struct leads to the offset that the encoder, who laid it out, has for it; what is not in it is not found.
#[test]
fn offsets_are_those_that_the_encoder_laid_out() {
    let inputs = (
        proptest::collection::vec(structure(), 1..4),
        any::<bool>(),
        any::<Index>(),
    );
    holds(&inputs, |(structures, has_bitfields, start)| {
        let mut encoder = Encoder::new(has_bitfields);
        // Types of others stand before ours, so that numbers and places differ each time.
        (0..start.index(5)).for_each(|_| encoder.unrelated());
        let mut offsets = BTreeMap::new();
        for (number, structure) in structures.iter().enumerate() {
            let name = format!("outer_{number}");
            for (path, offset) in encoder.named(&name, structure) {
                offsets.insert((name.clone(), path), offset);
            }
        }
        let data = encoder.finish();
        let btf = Btf::parse(&data).map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
        let found = |name: &str, path: &str| btf.offset(name, path).ok().flatten();
        for ((name, path), offset) in &offsets {
            prop_assert_eq!(found(name, path), Some(*offset), "{}.{}", name, path);
            prop_assert_eq!(found(name, &format!("{path}.nothing")), None);
        }
        prop_assert_eq!(found("outer_0", "nothing"), None);
        prop_assert_eq!(found("inner", "m0"), None);
        Ok(())
    });
}

/// A file that is damaged, or cut off, is an error or gives some answer, soon.
#[test]
fn damaged_types_are_answered_soon() {
    let damage = proptest::collection::vec((any::<Index>(), any::<u8>()), 1..12);
    let inputs = (structure(), damage, any::<Option<Index>>());
    holds(&inputs, |(structure, damage, cut)| {
        let mut encoder = Encoder::new(false);
        let paths = encoder.named("outer", &structure);
        let mut data = encoder.finish();
        for (at, byte) in damage {
            let at = at.index(data.len());
            data[at] = byte;
        }
        if let Some(cut) = cut {
            data.truncate(cut.index(data.len()));
        }
        let start = std::time::Instant::now();
        if let Ok(btf) = Btf::parse(&data) {
            for (path, _) in &paths {
                let _any = btf.offset("outer", path);
            }
        }
        prop_assert!(
            start.elapsed().as_secs() < 5,
            "it took {:?}",
            start.elapsed()
        );
        Ok(())
    });
}

/// Structs that hold themselves, without a name, many times: no compiler writes them, and following them all would take for ever.
#[test]
fn types_that_hold_themselves_are_answered_soon() {
    holds(&(1_u32..40), |copies| {
        let data = Encoder::ring(copies);
        let btf = Btf::parse(&data).map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
        let start = std::time::Instant::now();
        let found = btf.offset("ring", "nothing");
        prop_assert!(!matches!(found, Ok(Some(_))), "{:?}", found);
        prop_assert!(
            start.elapsed().as_secs() < 5,
            "it took {:?}",
            start.elapsed()
        );
        Ok(())
    });
}

#[test]
fn a_release_is_what_uname_begins_with() {
    let rest = "(\\.[0-9]{1,3})?([-+.][a-z0-9.+-]{0,20})?";
    holds(
        &(any::<u16>(), any::<u16>(), rest),
        |(major, minor, rest)| {
            prop_assume!(!rest.starts_with(|c: char| c.is_ascii_digit()));
            let release = Release::parse(&format!("{major}.{minor}{rest}"));
            prop_assert_eq!(release, Some(Release(major, minor)));
            let again = release.map(|release| Release::parse(&release.to_string()));
            prop_assert_eq!(again, Some(release));
            Ok(())
        },
    );
    holds(
        &"[^0-9]{0,9}|[1-9][0-9]{5,11}(\\.[0-9]+)?|[0-9]{1,4}",
        |name| {
            prop_assert_eq!(Release::parse(&name), None);
            Ok(())
        },
    );
}

#[test]
fn capabilities_are_the_bits_of_the_effective_set() {
    holds(
        &(any::<u64>(), any::<u64>(), "[a-z]{1,9}"),
        |(effective, other, comm)| {
            let status = format!(
                "Name:\t{comm}\nCapInh:\t{other:016x}\nCapPrm:\t{other:016x}\nCapEff:\t{effective:016x}\nCapBnd:\t{other:016x}\n"
            );
            let held = capabilities::of(&status);
            for (name, bit) in [("CAP_BPF", 39), ("CAP_PERFMON", 38), ("CAP_SYS_ADMIN", 21)] {
                prop_assert_eq!(held[name], effective & 1 << bit != 0, "{}", name);
            }
            Ok(())
        },
    );
}

/// Whoever has the flock(2) lock of our file is its holder, and neither one who waits for it nor one with another lock or another file.
#[test]
fn the_holder_of_a_lock_has_that_files_lock() {
    let kind = proptest::sample::select(vec!["FLOCK ", "POSIX ", "OFDLCK", "LEASE "]);
    let line = (kind, any::<bool>(), -1_i64..6, 0_u32..3, 1_u64..4);
    holds(&proptest::collection::vec(line, 0..10), |lines| {
        let text: String = lines
            .iter()
            .enumerate()
            .map(|(number, (kind, waits, pid, minor, inode))| {
                let arrow = if *waits { "-> " } else { "" };
                format!(
                    "{number}: {arrow}{kind} ADVISORY  WRITE {pid} 00:{minor:02x}:{inode} 0 EOF\n"
                )
            })
            .collect();
        for minor in 0..3 {
            for inode in 1..4 {
                let expected = lines.iter().find_map(|(kind, waits, pid, m, i)| {
                    let is_ours = *kind == "FLOCK " && !waits && (*m, *i) == (minor, inode);
                    u32::try_from(*pid).ok().filter(|pid| is_ours && *pid > 0)
                });
                let device = rustix::fs::makedev(0, minor);
                prop_assert_eq!(holder::pid(&text, device, inode), expected);
            }
        }
        Ok(())
    });
}
