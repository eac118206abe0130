//! The command line, matched by hand: three forms are not worth a parser.

use core::fmt;

/// What the program was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// Route, as the blob in this file says, and listen to the operator at a socket.
    Run { blob: &'a [u8], socket: Option<&'a [u8]> },
    /// Say how the program is used.
    Help,
    /// Say which program this is.
    Version,
}

/// Why the command line is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// There is no argument.
    Nothing,
    /// The first argument is no command.
    UnknownCommand,
    /// `run` has no file behind it.
    NoBlob,
    /// `--control` has no path behind it.
    NoSocket,
    /// There is something behind the last argument of the command.
    TooMany,
}

/// What `--help` says.
pub(crate) const USAGE: &str = "\
usage: sekisho run <blob> [--control <socket>]
       sekisho --help | --version

Takes the two interfaces that <blob> names and routes between them with NAPT until SIGINT or
SIGTERM; SIGUSR1 shows the counters. `provision compile router.toml -o router.blob` makes a blob.
With --control, `provision status --to <socket>` and its like look at it and change it.

exit status: 0 ended as asked, 1 the operation failed, 2 the command line or the blob is wrong";

impl<'a> Command<'a> {
    /// Reads the arguments behind the program's name.
    pub(crate) fn parse(arguments: &[&'a [u8]]) -> Result<Self, Mistake> {
        match arguments {
            [] => Err(Mistake::Nothing),
            [b"--help" | b"-h", ..] => Ok(Self::Help),
            [b"--version" | b"-V"] => Ok(Self::Version),
            [b"run"] => Err(Mistake::NoBlob),
            [b"run", b"--help" | b"-h"] => Ok(Self::Help),
            [b"run", blob] => Ok(Self::Run { blob, socket: None }),
            [b"run", blob, b"--control", socket] => Ok(Self::Run { blob, socket: Some(socket) }),
            [b"run", _, b"--control"] => Err(Mistake::NoSocket),
            [b"run" | b"--version" | b"-V", ..] => Err(Mistake::TooMany),
            [_, ..] => Err(Mistake::UnknownCommand),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "no command",
            Self::UnknownCommand => "unknown command",
            Self::NoBlob => "`run` needs the file of a configuration blob",
            Self::NoSocket => "`--control` needs the path of a socket",
            Self::TooMany => "too many arguments",
        })?;
        f.write_str("; see `sekisho --help`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::vec::Vec;

    fn parse<'a>(arguments: &[&'a str]) -> Result<Command<'a>, Mistake> {
        let bytes: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        Command::parse(&bytes)
    }

    #[test]
    fn each_form_is_known() {
        assert_eq!(parse(&["run", "router.blob"]), Ok(Command::Run { blob: b"router.blob", socket: None }));
        let operated = Command::Run { blob: b"a", socket: Some(b"b") };
        assert_eq!(parse(&["run", "a", "--control", "b"]), Ok(operated));
        assert_eq!(parse(&["--help"]), Ok(Command::Help));
        assert_eq!(parse(&["run", "--help"]), Ok(Command::Help));
        assert_eq!(parse(&["--version"]), Ok(Command::Version));
    }

    #[test]
    fn each_mistake_is_named() {
        assert_eq!(parse(&[]), Err(Mistake::Nothing));
        assert_eq!(parse(&["run"]), Err(Mistake::NoBlob));
        assert_eq!(parse(&["run", "a", "b"]), Err(Mistake::TooMany));
        assert_eq!(parse(&["run", "a", "--control"]), Err(Mistake::NoSocket));
        assert_eq!(parse(&["--version", "x"]), Err(Mistake::TooMany));
        assert_eq!(parse(&["route", "a"]), Err(Mistake::UnknownCommand));
    }
}
