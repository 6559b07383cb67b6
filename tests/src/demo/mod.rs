//! `insight-demo`: a few services that talk, for a first picture.
//!
//! Each service is a cgroup, named as systemd would name it, and a network namespace. Programs of the demo, the pace of each
//! kept low:
//!
//! ```text
//! demo-web ──► demo-api ──► demo-db ◄── demo-worker        demo-cron ──✕ demo-web (refused)
//! ```

mod service;
mod until;

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::cgroup::CgroupRoot;
use crate::load::client::Plan;
use crate::net::Net;
use crate::process::Process;
use crate::traffic::{at, load};
use service::Service;
use until::Stop;

/// What `--help` prints.
pub const HELP: &str = "\
insight-demo: a few services that talk, until SIGINT or SIGTERM; needs root

Each is a cgroup and a network namespace of its own, with no way to the outside; all of it is removed at the end.
";

const WEB_PORT: u16 = 80;
const API_PORT: u16 = 8080;
const DB_PORT: u16 = 5432;
/// Where nobody listens.
const CRON_PORT: u16 = 8443;

/// More connections than any demo lasts for.
const ENDLESS: u64 = 1 << 40;

/// The worker's pace, and what all others are looked after at.
const TICK: Duration = Duration::from_secs(1);
/// How long any of them may take for one thing.
const ANSWER: Duration = Duration::from_secs(30);
/// The cron job runs each so many ticks.
const CRON_TICKS: u64 = 5;

/// Runs it, given the command line without the program's name.
pub fn run(mut args: impl Iterator<Item = String>) -> Result<()> {
    match args.next().as_deref() {
        None => {}
        Some("--help" | "-h") => {
            print!("{HELP}");
            return Ok(());
        }
        Some(other) => {
            bail!("unknown argument {other:?}; `insight-demo --help` says what there is")
        }
    }
    ensure!(
        rustix::process::geteuid().is_root(),
        "needs root, because it makes network namespaces and cgroups: run it with sudo"
    );
    // From here on a signal ends the loop below, and the guards clean up.
    let mut stop = Stop::on_signals()?;
    let (net, root) = (Net::new()?, CgroupRoot::new()?);
    let mut demo = Demo::start(&net, &root)?;
    println!(
        "the demo runs below {}; Ctrl-C ends it",
        root.path().display()
    );
    for tick in 1_u64.. {
        if stop.within(TICK) {
            break;
        }
        if let Err(error) = demo.tick(tick) {
            // A terminal's Ctrl-C ends the programs, too, and they may be faster.
            if stop.within(Duration::from_millis(200)) {
                break;
            }
            return Err(error);
        }
    }
    println!("the demo ends");
    Ok(())
}

/// The services and their programs. Programs end before their services are removed.
struct Demo {
    programs: Vec<Process>,
    worker: Process,
    cron_to: String,
    cron: Service,
    _others: [Service; 4],
}

impl Demo {
    fn start(net: &Net, root: &CgroupRoot) -> Result<Self> {
        let make = |name: &'static str| Service::new(name, net, root);
        let (db, api, web) = (make("demo-db")?, make("demo-api")?, make("demo-web")?);
        let (worker, cron) = (make("demo-worker")?, make("demo-cron")?);
        let to = |service: &Service, port| at(service.addresses.v4, port);
        let mut programs = vec![
            db.serve(DB_PORT)?,
            api.serve(API_PORT)?,
            web.serve(WEB_PORT)?,
        ];
        let client = |service: &Service, what: &str, to, per_second, requests, send, receive| {
            let mut plan = Plan::new(to, ENDLESS, send, receive);
            plan.rate = per_second;
            plan.requests = requests;
            service.run(what, load(plan.to_args())?)
        };
        programs.push(client(
            &api,
            &format!("5 times a second asks demo-db:{DB_PORT}"),
            to(&db, DB_PORT),
            5.0,
            3,
            120,
            4_000,
        )?);
        programs.push(client(
            &web,
            &format!("3 times a second asks demo-api:{API_PORT}"),
            to(&api, API_PORT),
            3.0,
            2,
            350,
            9_000,
        )?);
        let db_address = to(&db, DB_PORT).to_string();
        let mut worker_program = worker.run(
            &format!("polls demo-db:{DB_PORT} over 2 open connections"),
            load(["hold", "--to", &db_address, "--connections", "2"])?,
        )?;
        // It has opened its connections.
        worker_program.line(ANSWER)?;
        println!("demo-cron     is refused at demo-web:{CRON_PORT} each {CRON_TICKS} seconds");
        Ok(Self {
            programs,
            worker: worker_program,
            cron_to: to(&web, CRON_PORT).to_string(),
            cron,
            _others: [db, api, web, worker],
        })
    }

    /// The worker polls; now and then the cron job runs; all others must be alive.
    fn tick(&mut self, tick: u64) -> Result<()> {
        for program in &mut self.programs {
            program.expect_running()?;
        }
        self.worker.tell("64 2048")?;
        self.worker.line(ANSWER)?;
        if tick % CRON_TICKS == 1 {
            let args = ["refused", "--to", &self.cron_to, "--count", "1"];
            self.cron.spawn(load(args)?)?.finish(ANSWER)?;
        }
        Ok(())
    }
}
