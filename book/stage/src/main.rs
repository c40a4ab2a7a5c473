//! `cargo stage`: the command line of the stage.

use std::{
    env,
    io::{IsTerminal, Write, stderr, stdout},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use clap::{Args, Parser, Subcommand};
use press::Address;
use stage::{
    Limits, OwnLab, Site, Source, Stage, StageError, book,
    book::For,
    class::{address, keep::Keep},
    module, own_labs, server,
};
use tracing_subscriber::EnvFilter;

/// Builds the book and serves it on this machine, with every lab live beside it.
///
/// Ctrl-C ends it. RUST_LOG=info shows what it does.
///
/// For a class: open the instructor's link that is printed at the start (it works once), project /class, and let
/// students join with `cargo lab join` or at /join. `--public` lets them reach this machine.
#[derive(Parser)]
#[command(name = "cargo stage", bin_name = "cargo stage", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Action>,
    #[command(flatten)]
    serving: Serving,
}

/// What a stage is to be like that serves.
#[derive(Args)]
struct Serving {
    /// The port to listen on; 0 lets the system choose one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where the feed is kept: memory, or redis://HOST:PORT for a feed and a class that several stages share
    #[arg(long, value_name = "WHERE", default_value_t)]
    feed: Source,
    /// Serve a lab as it stands in labs/ instead of its solution: 3=labs; may be given several times
    #[arg(long = "lab", value_name = "NUMBER=labs")]
    labs: Vec<OwnLab>,
    /// Let others on the network in: listen on every interface, and print the address and a QR code
    #[arg(long)]
    public: bool,
    /// Write down what the class does, a line of JSON each time (names, progress, votes); else it is forgotten
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// How many connections one address may have; behind a proxy all visitors have one
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().per_address)]
    connections_per_address: usize,
}

#[derive(Subcommand)]
enum Action {
    /// Builds the book as a static site that any web host can serve
    Build {
        /// The folder to write; it must be new, empty or of an earlier build
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The address where the site will stand (https://example.org/beyond-fetch/), for what must name it: canonical
        /// links, the preview of a link, the sitemap, the style of the page for a wrong address
        #[arg(long, value_name = "ADDRESS")]
        url: Option<Address>,
    },
    /// Builds the module with which the book's pages grade a lab (WebAssembly; needs clang and wasi-libc)
    Module {
        /// The folder to put it into
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), StageError> {
    let here = env::current_dir().map_err(|error| StageError::File(".".into(), error))?;
    let root = book::find_root(&here)?;
    let target = book::target_folder(&root);
    match arguments.command {
        None => {
            let missing = arguments.serving.labs.iter().any(|lab| !lab.is_built_in());
            if missing {
                own_labs::serve_with(&arguments.serving.labs)
            } else {
                serve(arguments.serving, root, target)
            }
        }
        Some(Action::Build { out, url }) => {
            let has_address = url.is_some();
            let mut progress = Progress::new();
            let files = book::export(&root, &target, &out, url, &mut |words| progress.say(words))?;
            progress.done();
            println!("{files} files in {}", out.display());
            if !has_address {
                println!(
                    "No --url was given: the site has no sitemap, canonical links or preview for links to it, and its \
                     404.html supposes the root of a host."
                );
            }
            Ok(())
        }
        Some(Action::Module { out }) => {
            let (module, size) = module::build(&root, &target, &out)?;
            println!("{} ({} KB)", module.display(), size.div_ceil(1_000));
            Ok(())
        }
    }
}

#[tokio::main]
async fn serve(serving: Serving, root: PathBuf, target: PathBuf) -> Result<(), StageError> {
    let Serving { port, feed, labs, public, keep, connections_per_address } = serving;
    // Port and feed come first: whoever must choose others should not wait for the book.
    let listener = match public {
        true => server::listen_to_everyone(port).await?,
        false => server::listen(port).await?,
    };
    let opened = feed.open().await?;
    let keep = keep.map(|path| Keep::open(&path)).transpose()?;
    let building = {
        let root = root.clone();
        tokio::task::spawn_blocking(move || {
            let mut progress = Progress::new();
            let folder = book::build(&root, &target, For::Stage, &mut |words| progress.say(words))?;
            progress.done();
            Site::read(&folder).map_err(|error| StageError::File(folder, error))
        })
    };
    let site = match building.await {
        Ok(site) => site?,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    let port = listener.local_addr().map_or(port, |address| address.port());
    let limits = Limits { per_address: connections_per_address, ..Limits::default() };
    allow_files(limits.connections);
    let stage = Stage::on(&root, site, opened, &labs).with_limits(limits);
    println!("http://127.0.0.1:{port}/  (Ctrl-C ends it)");
    match stage.class().link().await {
        Ok(link) => {
            println!("The instructor's console, a link that works once: http://127.0.0.1:{port}{link}")
        }
        Err(error) => eprintln!("There is no link to the instructor's console. {error}"),
    }
    if public {
        tell_everyone(&stage, port);
    }
    if let Some(keep) = keep {
        stage.class().keep(keep);
    }
    stage.serve(listener, interrupted()).await;
    Ok(())
}

/// Prints where others reach this stage, and that they do.
fn tell_everyone(stage: &Stage, port: u16) {
    println!("\nThis stage is open to everyone who can reach this machine over a network.");
    let addresses = address::addresses();
    let Some((first, others)) = addresses.split_first() else {
        println!("At the moment that is nobody: this machine has no address on a network.");
        return;
    };
    let url = format!("http://{first}:{port}");
    println!("Students come to {url}/join, or with `cargo lab join {url}`. Project {url}/class");
    for other in others {
        println!("(Where that does not answer, perhaps http://{other}:{port}/join does.)");
    }
    if let Some(code) = address::in_terminal(&format!("{url}/join")).filter(|_| stdout().is_terminal()) {
        println!("\n{code}");
    }
    stage.class().reached_at(url);
}

/// Asks the system for as many open files as there may be connections: the usual 1,024 are not a hall.
fn allow_files(connections: usize) {
    let wanted = connections as u64 + 200;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(allowed) if allowed < wanted => {
            tracing::info!(allowed, "the system allows fewer connections than the stage does");
        }
        Ok(_) => {}
        Err(error) => tracing::info!(%error, "the system's limit of open files stays as it is"),
    }
}

/// Waits for Ctrl-C. A second one, or one while the book is built, ends the program at once.
async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "Ctrl-C cannot be heard");
        std::future::pending::<()>().await;
    }
    println!();
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
}

/// What a build tells the terminal: one line that changes, or nothing where nobody looks.
struct Progress {
    began: Instant,
    width: usize,
    is_terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self { began: Instant::now(), width: 0, is_terminal: stderr().is_terminal() }
    }

    fn say(&mut self, words: &str) {
        if self.is_terminal {
            let width = self.width;
            eprint!("\r{words:<width$}");
            let _ = stderr().flush();
        }
        self.width = self.width.max(words.chars().count());
    }

    /// Leaves one line behind, if there was anything to build.
    fn done(&mut self) {
        if self.width > 0 {
            if self.is_terminal {
                self.say("");
                eprint!("\r");
            }
            eprintln!("The book is built ({:.1} s).", self.began.elapsed().as_secs_f64());
        }
    }
}
