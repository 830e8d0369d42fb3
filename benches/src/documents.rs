//! Documents that look like issues: the same boilerplate, other words.

use std::fmt::Write;

/// A small, quick generator (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Seeds it.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit.max(1)
    }
}

/// A word of a vocabulary of 8,000, the first ones much more often.
fn word(random: &mut Random, out: &mut String) {
    const PARTS: [&str; 20] = [
        "ta", "re", "lo", "mi", "ser", "con", "ble", "ing", "pro", "est", "un", "da", "ver", "al",
        "tion", "or", "is", "ka", "nu", "pe",
    ];
    let rank = (random.below(8000) * random.below(8000)) / 8000;
    let mut rest = rank + 1;
    while rest > 0 {
        out.push_str(PARTS[(rest % 20) as usize]);
        rest /= 20;
    }
}

fn sentence(random: &mut Random, words: u64) -> String {
    let mut text = String::new();
    for place in 0..words {
        if place > 0 {
            text.push(' ');
        }
        word(random, &mut text);
    }
    text
}

/// The document of a number in a version: 0.5 to 20 KB, about 4 KB on average; a new version changes a field and adds a comment.
pub fn document(number: u64, version: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let mut out = String::with_capacity(4096);
    let project = number % 50;
    let _ = write!(
        out,
        "{{\"expand\":\"renderedFields,names,schema,operations,editmeta,changelog\",\"id\":\"{}\",\
         \"key\":\"P{project}-{number}\",\"fields\":{{\"summary\":\"{}\",\"status\":{{\"name\":\"{}\",\
         \"statusCategory\":{{\"key\":\"indeterminate\",\"colorName\":\"yellow\"}}}},\
         \"assignee\":{{\"accountId\":\"5b10ac8d82e05b22cc7d{:04x}\",\"accountType\":\"atlassian\",\
         \"active\":true}},\"updated\":\"2026-{:02}-{:02}T10:{:02}:00.000+0000\",\
         \"description\":{{\"type\":\"doc\",\"version\":1,\"content\":[",
        10_000 + number,
        sentence(&mut random, 8),
        ["Open", "In Progress", "Done"][((number + version) % 3) as usize],
        random.below(400),
        1 + version % 12,
        1 + number % 28,
        number % 60,
    );
    for place in 0..=random.below(4) {
        if place > 0 {
            out.push(',');
        }
        let words = 10 + random.below(60);
        let _ = write!(
            out,
            "{{\"type\":\"paragraph\",\"content\":[{{\"type\":\"text\",\"text\":\"{}\"}}]}}",
            sentence(&mut random, words)
        );
    }
    out.push_str("]},\"comment\":{\"comments\":[");
    let comments = random.below(8) + version;
    for place in 0..comments {
        if place > 0 {
            out.push(',');
        }
        let words = 8 + random.below(90);
        let _ = write!(
            out,
            "{{\"self\":\"https://example.invalid/rest/api/3/issue/{number}/comment/{place}\",\"author\":\
             {{\"accountId\":\"5b10ac8d82e05b22cc7d{:04x}\",\"accountType\":\"atlassian\"}},\"body\":\
             {{\"type\":\"doc\",\"version\":1,\"content\":[{{\"type\":\"paragraph\",\"content\":\
             [{{\"type\":\"text\",\"text\":\"{}\"}}]}}]}}}}",
            random.below(400),
            sentence(&mut random, words)
        );
    }
    out.push_str("]}}}");
    out.into_bytes()
}
