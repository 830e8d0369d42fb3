//! Page tokens: where the next page begins, in a form that clients cannot read anything from.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::Refusal;

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// How many rows came before.
    offset: u64,
    /// The last row that came before.
    last: u64,
}

impl Token {
    /// The token of what comes behind a page that began at `start` and ended with these rows.
    pub(super) fn behind(start: u64, rows: &[u64]) -> Token {
        Token { offset: start + rows.len() as u64, last: rows.last().copied().unwrap_or_default() }
    }

    /// Writes the token; only a request with an equal `question` may use it.
    pub(super) fn write(self, question: &impl Hash) -> String {
        let text = format!("{}.{}.{:x}", self.offset, self.last, hash(question));
        BASE64.encode(text)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// Where it is no token, or that of another question.
    pub(super) fn read(text: &str, question: &impl Hash) -> Result<Token, Refusal> {
        parse(text, hash(question))
            .ok_or_else(|| Refusal::invalid("The provided next page token is invalid or expired."))
    }

    /// Where the page begins in `rows`: behind the last row that was seen, wherever that is now.
    pub(super) fn start(self, rows: impl IntoIterator<Item = u64>) -> u64 {
        let seen = rows.into_iter().position(|row| row == self.last);
        seen.map_or(self.offset, |at| at as u64 + 1)
    }
}

fn parse(text: &str, expected: u64) -> Option<Token> {
    let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    let mut parts = text.split('.');
    let token = Token { offset: parts.next()?.parse().ok()?, last: parts.next()?.parse().ok()? };
    let question = u64::from_str_radix(parts.next()?, 16).ok()?;
    (question == expected && parts.next().is_none()).then_some(token)
}

fn hash(question: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    question.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_on_behind_the_last_row() {
        let text = Token::behind(0, &[7, 8]).write(&"jql");
        let token = Token::read(&text, &"jql").unwrap();
        assert_eq!(token.start([7, 8, 9]), 2);
        assert_eq!(token.start([6, 7, 8, 9]), 3);
        assert_eq!(token.start([7, 9, 5]), 2, "where the last row is gone the count holds");
        assert!(Token::read(&text, &"another").is_err());
        for bad in ["", "x", "!", "MS4y"] {
            assert!(Token::read(bad, &"jql").is_err(), "{bad}");
        }
    }
}
