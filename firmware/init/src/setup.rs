//! From the name of a file to a box that is ready: blob, interfaces, entropy, router.

use core::fmt;

use config::signed::{self, MAX_SIGNED};
use config::{Config, InterfaceAddress, InterfaceName};
use gateway::{Gateway, link_of};
use linux::{Error, Events, Name, Port, console, entropy, file};
use router::{Connections, Recorder, Router, Side, Tables};
use static_cell::ConstStaticCell;

use crate::operator::Operator;

/// The engine's tables, a few megabytes, in `.bss` because they begin as zeros.
static TABLES: ConstStaticCell<Tables> = ConstStaticCell::new(Tables::new());

/// What operators' connections are held in.
static CONNECTIONS: ConstStaticCell<Connections<'static>> = ConstStaticCell::new(Connections::new());

/// What the latest frames are recorded in.
static RECORDER: ConstStaticCell<Recorder> = ConstStaticCell::new(Recorder::new());

/// Why the program cannot route.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The blob's file cannot be read, or is too long for a blob.
    Unreadable(Error),
    /// What the file holds is no valid configuration.
    Invalid(config::Error),
    /// Both sides are the same interface, by two of its names.
    SameInterface,
    /// The configuration names no interface for a side, and there is no board to know it.
    NoInterface(Side),
    /// The board has no device for a side, with what it has instead.
    NoDevice(Side, board::Selector),
    /// The image has no board that this program takes.
    NoBoard(board::Error),
    /// Linux refused something.
    Linux(Error),
}

/// Takes over what the blob at `path` names, listens to the operator at a socket, if one is given, and says so.
pub(crate) fn start(path: &[u8], socket: Option<&[u8]>) -> Result<(Gateway, Operator), Trouble> {
    let mut buffer = [0; MAX_SIGNED];
    let blob = file::read(path, &mut buffer).map_err(Trouble::Unreadable)?;
    let config = signed::open(blob).and_then(|opened| opened.config()).map_err(Trouble::Invalid)?;
    // First of all, so that no change of a link falls between looking at it and hearing of it.
    let events = Events::open()?;
    let interfaces = interfaces(&config)?;
    let operator = Operator::open(socket, blob, &config, interfaces)?;
    let events = operator.wakes(events)?;
    Ok((open(&config, events, interfaces)?, operator))
}

/// Takes over two interfaces, lan first, and says so.
pub(crate) fn open(config: &Config, events: Events, interfaces: [Name; 2]) -> Result<Gateway, Trouble> {
    let names = interfaces.each_ref().map(Name::as_str);
    let [lan, wan] = names.map(take);
    let (lan, wan) = (lan?, wan?);
    if lan.index() == wan.index() {
        return Err(Trouble::SameInterface);
    }
    let router = router(config, &lan, &wan)?;
    if let Err(error) = linux::lock_memory() {
        log::warn!(
            "{error}: its memory may be swapped out; raise the limit of locked memory, or run it with CAP_IPC_LOCK"
        );
    }
    let mut gateway = Gateway::new(events, [lan, wan], router, RECORDER.take());
    gateway.announce();
    say_ready(config, names);
    Ok(gateway)
}

/// The interfaces that a configuration names, lan first.
fn interfaces(config: &Config) -> Result<[Name; 2], Trouble> {
    let named = |side, interface: Option<&InterfaceName>| {
        Name::new(interface.ok_or(Trouble::NoInterface(side))?.as_str()).map_err(Trouble::Linux)
    };
    Ok([named(Side::Lan, config.lan().interface())?, named(Side::Wan, config.wan().interface())?])
}

/// Takes an interface, and warns if the kernel would answer beside us.
fn take(interface: &str) -> Result<Port, Error> {
    let port = Port::open(interface)?;
    if !port.is_up() {
        log::info!("{interface}: no link yet");
    }
    if let Some([a, b, c, d]) = port.kernel_address() {
        log::warn!(
            "{interface}: the kernel answers to {a}.{b}.{c}.{d} too; `ip address flush dev {interface}`"
        );
    }
    Ok(port)
}

/// Makes the router. It borrows its memory for ever, so there is one for the life of the program.
fn router(config: &Config, lan: &Port, wan: &Port) -> Result<Router<'static, { router::SESSIONS }>, Error> {
    let mut router = Router::new(TABLES.take(), config, link_of(lan), link_of(wan), &entropy::seed()?);
    router.listen(CONNECTIONS.take(), config);
    Ok(router)
}

/// The one line on stdout, for whoever waits for it.
fn say_ready(config: &Config, [lan, wan]: [&str; 2]) {
    let side = |side, interface, address| Taken { side, interface, address };
    console::say(format_args!(
        "ready {} {}",
        side(Side::Lan, lan, config.lan().address()),
        side(Side::Wan, wan, config.wan().address())
    ));
}

/// One side in the line above: `lan=gw0 192.0.2.254/24`.
struct Taken<'a> {
    side: Side,
    interface: &'a str,
    address: InterfaceAddress,
}

impl fmt::Display for Taken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} {}", self.side, self.interface, self.address)
    }
}

impl Trouble {
    /// The program's exit status.
    pub(crate) const fn status(&self) -> u8 {
        match self {
            Self::Linux(_) | Self::NoDevice(..) | Self::Unreadable(Error::System(_)) => 1,
            Self::NoInterface(_)
            | Self::NoBoard(_)
            | Self::Unreadable(_)
            | Self::Invalid(_)
            | Self::SameInterface => 2,
        }
    }

    /// The trouble as a sentence, with the file that it is about.
    pub(crate) fn at<'a>(&'a self, file: &'a [u8]) -> Sentence<'a> {
        Sentence { trouble: self, file }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Linux(error)
    }
}

/// A [`Trouble`] and where it happened.
pub(crate) struct Sentence<'a> {
    trouble: &'a Trouble,
    file: &'a [u8],
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        match self.trouble {
            Trouble::NoInterface(side) => write!(
                f,
                "{file}: no interface for the {side}, which only an image's board knows; add `interface` under [{side}]"
            ),
            Trouble::NoDevice(side, selector) => {
                write!(f, "no network device for the {side}: the board wants {selector}")
            }
            Trouble::NoBoard(error) => write!(f, "{file}: {error}; build the image anew"),
            Trouble::SameInterface => {
                write!(f, "{file}: wan and lan are two names of one interface; name two interfaces")
            }
            Trouble::Unreadable(Error::TooLong) => {
                write!(f, "{file}: longer than any blob; make one with `provision compile`")
            }
            Trouble::Unreadable(error) | Trouble::Linux(error @ Error::Socket(_)) => {
                write!(f, "{file}: {error}")
            }
            Trouble::Linux(error) => error.fmt(f),
            Trouble::Invalid(error) => write!(f, "{file}: {error}; make a new one with `provision compile`"),
        }
    }
}
