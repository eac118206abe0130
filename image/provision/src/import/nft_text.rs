//! `nft list ruleset`: the tables as text.
//!
//! Statements end with a line or a `;`; a brace opens a block where a table, chain or set begins, and a list of values
//! anywhere else. What is in a list may go over lines.

use std::rc::Rc;

use super::model::{Chain, Place, Ruleset, Verdict};
use super::nft::{self, Sets};
use super::nft_rule::{self, elements};
use super::notes::{Fate, Notes};

/// Reads a whole file.
pub(crate) fn read(file: usize, text: &str, into: &mut Ruleset, notes: &mut Notes) {
    let statements = statements(file, text);
    let is_hidden = |token: &Token| !token.is_quoted && (token.text == "xt" || token.text.starts_with("xt_"));
    if statements.iter().flat_map(|it| &it.tokens).any(is_hidden) {
        notes.say_of(file, Fate::Note, nft::HIDDEN);
    }
    let mut named = Sets::new();
    // Sets are named before and behind the chains that use them.
    for statement in &statements {
        if let ([table, kind @ ("set" | "map"), name], ["elements", "=", rest @ ..]) =
            (statement.block_words().as_slice(), statement.words().as_slice())
        {
            let elements = elements(rest, *kind == "map");
            named.push(((*table).to_owned(), (*name).to_owned(), elements));
        }
    }
    let is_dormant = |words: &[&str]| words.first() == Some(&"flags") && words.contains(&"dormant");
    let of_tables = statements.iter().filter(|it| it.block.len() == 1 && is_dormant(&it.words()));
    let dormant: Vec<_> = of_tables.filter_map(|it| it.block.first()).map(String::as_str).collect();
    for statement in &statements {
        let block = statement.block_words();
        let &[table, "chain", name] = block.as_slice() else {
            continue;
        };
        if let Some((fate, why)) = nft::aside(table, &dormant) {
            if !matches!(
                statement.words().as_slice(),
                [] | ["type" | "flags" | "comment", ..] | ["policy", "accept"]
            ) {
                notes.add(&statement.place, fate, why);
            }
            continue;
        }
        let known = into.chains.iter().any(|it| it.table == table && it.name == name);
        if !known {
            into.chains.push(Chain {
                table: table.to_owned(),
                name: name.to_owned(),
                hook: None,
                priority: 0,
                policy: Verdict::Return,
                place: statement.place.clone(),
                rules: Vec::new(),
            });
        }
        let Some(chain) = into.chains.iter_mut().find(|it| it.table == table && it.name == name) else {
            continue;
        };
        if chain.place.file != file {
            notes.add(&statement.place, Fate::None, "is of a chain that another file has, which counts");
            continue;
        }
        read_statement(statement, chain, &named);
    }
}

fn read_statement(statement: &Statement, chain: &mut Chain, named: &Sets) {
    match statement.words().as_slice() {
        [] => (),
        ["type", kind, "hook", hook, rest @ ..] => {
            chain.hook = Some(nft::hook(kind, hook));
            let priority = rest.iter().skip_while(|word| **word != "priority").skip(1).copied();
            chain.priority = nft::priority(&priority.collect::<Vec<_>>());
            chain.policy = Verdict::Accept;
        }
        ["policy", policy] => {
            chain.policy = if *policy == "drop" { Verdict::Drop } else { Verdict::Accept };
            chain.place = statement.place.clone();
        }
        ["comment" | "flags", ..] => (),
        _ => {
            let number = chain.rules.last().map_or(1, |rule| rule.number + 1);
            let table = statement.block.first().map_or("", String::as_str);
            chain.rules.extend(nft_rule::rules(&statement.words(), table, named, &statement.place, number));
        }
    }
}

/// A word, a brace, a comma, and whether it stood in quotes.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    text: String,
    is_quoted: bool,
}

/// What stands in a block: its words, and which block that is.
struct Statement {
    place: Place,
    /// Family and table; with the kind and name of what is in it.
    block: Vec<String>,
    tokens: Vec<Token>,
}

impl Statement {
    fn words(&self) -> Vec<&str> {
        self.tokens.iter().map(|token| token.text.as_str()).collect()
    }

    fn block_words(&self) -> Vec<&str> {
        self.block.iter().map(String::as_str).collect()
    }
}

/// All statements of a text. An empty one stands for the block itself.
fn statements(file: usize, text: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    // For each brace that is open: what of the name of the block began with it.
    let mut blocks: Vec<Vec<String>> = Vec::new();
    let (mut tokens, mut begin, mut lists) = (Vec::new(), 1, 0_usize);
    for (index, line) in text.lines().enumerate() {
        for token in tokenize(line).into_iter().chain([Token { text: "\n".to_owned(), is_quoted: false }]) {
            let word = if token.is_quoted { "" } else { token.text.as_str() };
            if tokens.is_empty() {
                begin = index + 1;
            }
            let ends = lists == 0 && matches!(word, ";" | "\n" | "}");
            if ends && !tokens.is_empty() {
                all.push(statement(file, begin, &blocks, std::mem::take(&mut tokens)));
            }
            match word {
                "}" if lists > 0 => {
                    lists -= 1;
                    tokens.push(token);
                }
                "}" => {
                    blocks.pop();
                }
                "{" if lists == 0 && blocks.len() < 2 => {
                    let words: Vec<_> = tokens.drain(..).map(|token: Token| token.text).collect();
                    let name = match (blocks.len(), words.as_slice()) {
                        // A family that is not said is IPv4's.
                        (0, [_, table]) => vec![format!("ip {table}")],
                        (0, words) => vec![words.get(1..).unwrap_or_default().join(" ")],
                        _ => words,
                    };
                    blocks.push(name);
                    all.push(statement(file, index + 1, &blocks, Vec::new()));
                }
                "{" => {
                    lists += 1;
                    tokens.push(token);
                }
                ";" | "\n" if lists == 0 => (),
                "\n" => (),
                _ => tokens.push(token),
            }
        }
    }
    all
}

fn statement(file: usize, line: usize, blocks: &[Vec<String>], tokens: Vec<Token>) -> Statement {
    let mut text = String::new();
    for token in &tokens {
        let quote = if token.is_quoted { "\"" } else { "" };
        let gap = if text.is_empty() || token.text == "," { "" } else { " " };
        text.extend([gap, quote, &token.text, quote]);
    }
    let block = blocks.concat();
    if tokens.is_empty() {
        text = block.join(" ");
    }
    Statement { place: Place { file, line, text: Rc::from(text) }, block, tokens }
}

fn tokenize(line: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut word = String::new();
    let mut letters = line.chars();
    let end = |word: &mut String, tokens: &mut Vec<Token>| {
        if !word.is_empty() {
            tokens.push(Token { text: std::mem::take(word), is_quoted: false });
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            // What it cannot say of iptables' matches and targets nft has put there.
            '#' if letters.as_str().trim_start().starts_with("xt_") => end(&mut word, &mut tokens),
            '#' => break,
            '"' => {
                end(&mut word, &mut tokens);
                let text = letters.by_ref().take_while(|letter| *letter != '"').collect();
                tokens.push(Token { text, is_quoted: true });
            }
            '{' | '}' | ';' | ',' => {
                end(&mut word, &mut tokens);
                tokens.push(Token { text: letter.to_string(), is_quoted: false });
            }
            _ if letter.is_whitespace() => end(&mut word, &mut tokens),
            _ => word.push(letter),
        }
    }
    end(&mut word, &mut tokens);
    tokens
}
