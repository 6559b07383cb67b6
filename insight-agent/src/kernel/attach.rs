//! Attaches the programs, each by itself.

use std::path::Path;

use anyhow::{Context, Result, bail};
use aya::Btf;
use aya::programs::links::FdLink;
use aya::programs::{BtfTracePoint, Iter, TracePoint};
use insight_ebpf::abi::{PHASE_BASELINE, PHASE_NO_BASELINE, SWITCH_PHASE};

use super::evict::Retire;
use super::probes::{BIRTHS, LIFE, MISSED, READOUT, RETIRE, STEADY};
use super::readout::Readout;
use super::{Kernel, LoadOptions};

/// The tracepoint of every change of a TCP socket's state.
pub(super) const CHANGES: &str = "inet_sock_set_state";

impl Kernel {
    /// Attaches every program that this kernel takes; a resumed one runs already.
    pub(super) fn attach(&mut self, btf: &Btf, options: &LoadOptions, steady: bool) -> Result<()> {
        let readout = self.attach_readout(btf);
        if !options.resume {
            self.add_catch_all()?;
            // Without a readout there is nobody to take the baseline.
            self.set_switch(
                SWITCH_PHASE,
                if readout.is_ok() {
                    PHASE_BASELINE
                } else {
                    PHASE_NO_BASELINE
                },
            )?;
        }
        let pin = |name: &str| options.pins.as_ref().map(|folder| folder.join(name));
        // In this order: the kernel runs them in the order in which they were attached, and each counts what those before it missed.
        if steady {
            let attached = match &pin(STEADY.name) {
                Some(pin) if options.resume => runs_already(pin),
                pin => self.attach_steady(pin.as_deref()),
            };
            self.probes.push(match attached {
                Ok(()) => STEADY.runs(),
                Err(error) => STEADY.fails(&error),
            });
        }
        for probe in [LIFE, MISSED] {
            let attached = match &pin(probe.name) {
                Some(pin) if options.resume => runs_already(pin),
                pin => self.attach_tracepoint(probe.name, CHANGES, btf, pin.as_deref()),
            };
            self.probes.push(match attached {
                Ok(()) => probe.runs(),
                Err(error) => probe.fails(&error),
            });
        }
        self.attach_udp(btf, options);
        // Not pinned: a new agent walks the tree first.
        let births = self.attach_tracepoint(BIRTHS.name, "cgroup_mkdir", btf, None);
        self.probes.push(match births {
            Ok(()) => BIRTHS.runs(),
            Err(error) => BIRTHS.fails(&error),
        });
        self.probes.push(match Retire::attach(&mut self.ebpf, btf) {
            Ok(retire) => {
                self.retire = Some(retire);
                RETIRE.runs()
            }
            Err(error) => RETIRE.fails(&error),
        });
        self.probes.push(match readout {
            Ok(readout) => {
                self.readout = Some(readout);
                READOUT.runs()
            }
            Err(error) => READOUT.fails(&error),
        });
        Ok(())
    }

    pub(super) fn attach_tracepoint(
        &mut self,
        name: &str,
        hook: &str,
        btf: &Btf,
        pin: Option<&Path>,
    ) -> Result<()> {
        let program: &mut BtfTracePoint = self
            .ebpf
            .program_mut(name)
            .with_context(|| format!("the BPF object has no program '{name}'"))?
            .try_into()?;
        program.load(hook, btf).context("load")?;
        let link = program.attach().context("attach")?;
        if let Some(pin) = pin {
            FdLink::from(program.take_link(link)?)
                .pin(pin)
                .with_context(|| format!("pin the link at {}", pin.display()))?;
        }
        Ok(())
    }

    fn attach_steady(&mut self, pin: Option<&Path>) -> Result<()> {
        let program: &mut TracePoint = self
            .ebpf
            .program_mut("steady")
            .context("the BPF object has no program 'steady'")?
            .try_into()?;
        program.load().context("load")?;
        let link = program
            .attach("sock", CHANGES)
            .context("attach; the agent needs /sys/kernel/tracing")?;
        if let Some(pin) = pin {
            FdLink::try_from(program.take_link(link)?)?
                .pin(pin)
                .with_context(|| format!("pin the link at {}", pin.display()))?;
        }
        Ok(())
    }

    fn attach_readout(&mut self, btf: &Btf) -> Result<Readout> {
        let program: &mut Iter = self
            .ebpf
            .program_mut("readout")
            .context("the BPF object has no program 'readout'")?
            .try_into()?;
        program.load("task_file", btf).context("load")?;
        Readout::attach(program.fd()?)
    }
}

pub(super) fn runs_already(pin: &Path) -> Result<()> {
    if !pin.exists() {
        bail!(
            "the kernel refused it when counting began; 'insight-agent detach' and a new start try again"
        );
    }
    Ok(())
}
