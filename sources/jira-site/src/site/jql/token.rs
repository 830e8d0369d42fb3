//! The words of a query.

use super::JqlError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it begins, in characters from one.
    pub(super) character: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word(String),
    /// Never a keyword.
    Quoted(String),
    /// An operator, a parenthesis or a comma.
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 11] = ["!=", "!~", ">=", "<=", "=", "~", ">", "<", "(", ")", ","];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, JqlError> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let character = at + 1;
        if letter.is_whitespace() {
            at += 1;
            continue;
        }
        let kind = if letter == '"' || letter == '\'' {
            quoted(&letters, &mut at)?
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| starts_with(&letters[at..], sign))
        {
            at += sign.len();
            Kind::Sign(sign)
        } else {
            let plain =
                |letter: &&char| !letter.is_whitespace() && !"!=~<>(),\"'".contains(**letter);
            let word: String = letters[at..].iter().take_while(plain).collect();
            if word.is_empty() {
                return Err(JqlError::new(format!(
                    "Error in the JQL Query: The character '{letter}' is a reserved JQL character. You must enclose \
                     it in a string or use the escape '\\u{:04x}' instead. (line 1, character {character})",
                    letter as u32
                )));
            }
            at += word.chars().count();
            Kind::Word(word)
        };
        tokens.push(Token { kind, character });
    }
    Ok(tokens)
}

fn starts_with(letters: &[char], sign: &str) -> bool {
    sign.chars().enumerate().all(|(place, letter)| letters.get(place) == Some(&letter))
}

/// Reads to the closing quotation mark; a backslash takes the next character as it is.
fn quoted(letters: &[char], at: &mut usize) -> Result<Kind, JqlError> {
    let start = *at;
    let mark = letters[start];
    let mut text = String::new();
    *at += 1;
    while let Some(&letter) = letters.get(*at) {
        *at += 1;
        match letter {
            '\\' => {
                text.extend(letters.get(*at));
                *at += 1;
            }
            _ if letter == mark => return Ok(Kind::Quoted(text)),
            _ => text.push(letter),
        }
    }
    Err(JqlError::new(format!(
        "Error in the JQL Query: The quoted string '{text}' has not been completed. (line 1, character {})",
        start + 1
    )))
}

impl Kind {
    /// What a message shows.
    pub(super) fn text(&self) -> &str {
        match self {
            Kind::Word(text) | Kind::Quoted(text) => text,
            Kind::Sign(sign) => sign,
        }
    }

    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, Kind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}
