//! Deterministic traffic over TCP and UDP: what `insight-load` does, as a library.
//!
//! A client says in a 16-byte header how long its request is, the header included, and how long a reply it wants; the server
//! reads exactly that and answers exactly that. So the payload of a run is known before it starts, and no byte of it depends
//! on timing.

pub mod args;
pub mod arrival;
pub mod breed;
pub mod call;
pub mod client;
pub mod compete;
pub mod consume;
pub mod dns;
pub mod failing;
pub mod guestbook;
pub mod hold;
pub mod protocol;
pub mod puppet;
pub mod server;
pub mod sweep;
pub mod tally;
pub mod udp;

use anyhow::{Result, bail};
use rustix::process::{Resource, getrlimit, setrlimit};

use args::Flags;

/// What `--help` prints.
pub const HELP: &str = "\
insight-load: TCP and UDP traffic of which every byte is known

  server    --listen ADDR:PORT [--backlog N] [--share-port] [--reply BYTES] [--tell]
            answers until it is killed; prints a line once it listens; --share-port: others may listen there, too;
            --reply: so long, whatever is asked for; --tell: a line for each connection that is over
  client    --to ADDR:PORT --connections N --send BYTES --receive BYTES
            [--requests N] [--concurrency N] [--rate PER_SECOND] [--rst | --half-close]
            bytes are of one request, its 16-byte header included (so --send is 16 at least);
            a rate of 0, the default, is no limit
  call      --to ADDR:PORT --send BYTES --every-ms N [--receive BYTES] [--for-ms N] [--times N]
            one connection after the other, whatever becomes of the server, until standard input ends; a line for each:
            sent and received, or failed if it was not connected, or broken if it did not end well
  sweep     --to IPV4:PORT --addresses N --send BYTES --receive BYTES [--from IPV4] [--rounds N] [--rate PER_SECOND]
            one connection to each of N addresses that follow one another, or with --from from each of them: many flows
  hold      --to ADDR:PORT --connections N [--fork N]
            keeps connections open until standard input ends; each line `SEND RECEIVE` on it
            is one request on every connection; --fork shares the sockets with N children
  refused | unreachable | timeout | abandoned
            --to ADDR:PORT --count N [--ports N]
            connects, and expects just that; abandoned: closes before there is an answer; --ports: count times to
            each of so many ports that follow one another
  udp-server --listen ADDR:PORT [--join GROUP] [--peek]
            answers datagrams until it is killed; --peek looks at each before it takes it
  udp-client --to ADDR:PORT --sockets N --send BYTES --receive BYTES [--requests N] [--concurrency N]
            [--connect] [--port N] [--hold]
            each request and each reply is one datagram; --hold keeps the sockets until standard
            input ends, and does the same again at each line on it
  dns-server --listen ADDR:PORT
  dns-client --to ADDR:PORT --queries N
            looks names up, each by a connected socket of its own
  frontend  --listen ADDR:PORT --leader HOST:PORT --followers HOST:PORT
            a guestbook over redis: GET /visit reads at a follower and, every third time, writes to the leader; anything else is just answered;
            a line for each visit says to whom it connected
  visitor   --to HOST:PORT --visits N --rate PER_SECOND
            visits a frontend, prints what it did, and stays
  arrival   --to ADDR:PORT
            connects once, prints when, and keeps the connection open
  puppet    does what each line of standard input says, and answers it with a line; addresses are IP:PORT
              listen NAME AT [shared] [mptcp]; accept LISTENER NAME; bind NAME AT [shared] [mptcp]
              connect NAME TO [shared] [mptcp]; start NAME TO; established NAME; dial NAME TO BYTES
              send NAME BYTES; receive NAME BYTES; receive-end NAME; ask NAME SEND RECEIVE; end NAME; close NAME
              inbox PATH; give NAME PATH; take NAME; fork; COMMANDS…; reap
            shared: SO_REUSEPORT; start and dial do not wait, established does; dial: TCP Fast Open;
            ask: one request to a server; end: shutdown(SHUT_WR);
            inbox, give, take: pass descriptors; fork: a child does the rest of the line and keeps all open until reap
  consume   --memory BYTES --cpu-ms N
            uses memory and CPU time, then keeps the memory until standard input ends
  compete   --threads N --cpu N
            each line MS on standard input lets each thread use so many milliseconds of that processor
  breed     --children N --cpu N
            each line MS starts children that do the same and end; prints how long they waited for it

Each prints one JSON line with what it did: connections, requests, bytes_sent, bytes_received …
";

/// Runs one mode, given the command line without the program's name.
pub fn run(args: impl IntoIterator<Item = String>) -> Result<()> {
    let mut args = args.into_iter();
    let mode = args.next().unwrap_or_else(|| "--help".to_owned());
    if matches!(mode.as_str(), "--help" | "-h" | "help") {
        print!("{HELP}");
        return Ok(());
    }
    let mut flags = Flags::parse(args)?;
    raise_open_files();
    match mode.as_str() {
        "server" => server::run(&server::Plan::from_flags(&mut flags)?),
        "client" => client::main(&client::Plan::from_flags(&mut flags)?),
        "call" => call::run(&call::Plan::from_flags(&mut flags)?),
        "sweep" => sweep::run(&sweep::Plan::from_flags(&mut flags)?),
        "hold" => hold::run(&hold::Plan::from_flags(&mut flags)?),
        "breed" => breed::run(&breed::Plan::from_flags(&mut flags)?),
        "compete" => compete::run(&compete::Plan::from_flags(&mut flags)?),
        "udp-server" => udp::server(flags),
        "udp-client" => udp::client(&udp::Plan::from_flags(&mut flags)?),
        "dns-server" => dns::server(flags),
        "dns-client" => dns::client(flags),
        "arrival" => arrival::run(flags),
        "frontend" => guestbook::frontend(flags),
        "visitor" => guestbook::visitor(flags),
        "puppet" => {
            flags.finish()?;
            puppet::run()
        }
        "consume" => consume::run(&consume::Plan::from_flags(&mut flags)?),
        other => match failing::Expected::parse(other) {
            Some(expected) => failing::run(&failing::Plan::from_flags(expected, &mut flags)?),
            None => bail!("unknown mode {other:?}; `insight-load --help` lists them"),
        },
    }
}

/// Thousands of sockets are more than the usual soft limit. The hard limit is what there is.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // An error leaves the old limit, and then opening says what is wrong.
    let _ = setrlimit(Resource::Nofile, limit);
}
