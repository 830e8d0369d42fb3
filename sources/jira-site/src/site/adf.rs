//! Rich text in the Atlassian Document Format, written from a seed.

use serde_json::{Value, json};

use super::model::{Document, Size, User};
use super::random::Random;
use super::{state, text};

/// Jira allows 32,767 characters of text; the last block may go somewhat beyond this.
const FULL_CHARACTERS: usize = 31_000;

impl Document {
    /// Writes the document; the users are those that it may mention.
    pub(crate) fn render(&self, users: &[User]) -> Value {
        match self {
            Document::None => Value::Null,
            Document::Given(value) => value.clone(),
            Document::Written { seed, size, media } => {
                let mut writer = Writer { random: Random::new(*seed), users, characters: 0 };
                let mut content = writer.blocks(*size);
                if let Some(attachment) = media {
                    content.push(media_single(*attachment));
                }
                let mut document = node("doc", content);
                document["version"] = json!(1);
                document
            }
        }
    }

    /// The words of the document, for searches.
    pub(crate) fn words(&self, users: &[User]) -> String {
        let mut words = String::new();
        collect(&self.render(users), &mut words);
        words
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Document::None | Document::Given(Value::Null))
    }

    pub(crate) fn new(random: &mut Random, size: Size) -> Self {
        Document::Written { seed: random.next(), size, media: None }
    }
}

/// The id that the media services have for an attachment; it is not the attachment's id.
pub(crate) fn media_id(attachment: u64) -> String {
    state::uuid(attachment ^ 0x006d_6564_6961)
}

fn media_single(attachment: u64) -> Value {
    json!({"type": "mediaSingle", "attrs": {"layout": "align-start"}, "content": [{
        "type": "media",
        "attrs": {"type": "file", "id": media_id(attachment), "alt": "image.png", "collection": "", "height": 420, "width": 760},
    }]})
}

fn collect(node: &Value, words: &mut String) {
    match node {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get("text") {
                words.push_str(text);
                words.push(' ');
            }
            fields.values().for_each(|value| collect(value, words));
        }
        Value::Array(nodes) => nodes.iter().for_each(|node| collect(node, words)),
        _ => {}
    }
}

struct Writer<'a> {
    random: Random,
    users: &'a [User],
    characters: usize,
}

impl Writer<'_> {
    fn blocks(&mut self, size: Size) -> Vec<Value> {
        match size {
            Size::Line => vec![self.paragraph(1)],
            Size::Short => {
                let count = self.random.between(1, 2);
                (0..count).map(|_| self.block()).collect()
            }
            Size::Long => {
                let count = self.random.between(3, 9);
                (0..count).map(|_| self.block()).collect()
            }
            Size::Full => {
                let mut blocks = Vec::new();
                while self.characters < FULL_CHARACTERS {
                    blocks.push(self.block());
                }
                blocks
            }
        }
    }

    fn block(&mut self) -> Value {
        match self.random.below(20) {
            0 => node("bulletList", self.items()),
            1 => attributed("orderedList", json!({"order": 1}), self.items()),
            2 | 3 => self.code(),
            4 => self.table(),
            5 => {
                let kind = self.random.one_of(&["info", "note", "warning", "error", "success"]);
                attributed("panel", json!({"panelType": kind}), vec![self.paragraph(1)])
            }
            6 => {
                let level = self.random.between(2, 4);
                attributed("heading", json!({"level": level}), vec![self.text()])
            }
            7 => node("blockquote", vec![self.paragraph(1)]),
            8 => json!({"type": "rule"}),
            _ => {
                let sentences = self.random.between(1, 4);
                self.paragraph(sentences)
            }
        }
    }

    fn paragraph(&mut self, sentences: usize) -> Value {
        let mut content = Vec::new();
        for _ in 0..sentences {
            match self.random.below(24) {
                0 => content.push(self.mention()),
                1 => content.push(json!({"type": "emoji", "attrs": {"shortName": ":tada:", "id": "1f389", "text": "🎉"}})),
                2 => content.push(self.card()),
                3 => content.push(json!({"type": "hardBreak"})),
                4 => content.push(self.marked()),
                5 => content.push(json!({"type": "status", "attrs": {
                    "text": "BLOCKED", "color": "red", "localId": state::uuid(self.random.next()), "style": "",
                }})),
                _ => {}
            }
            content.push(self.text());
        }
        node("paragraph", content)
    }

    fn text(&mut self) -> Value {
        let mut sentence = text::sentence(&mut self.random);
        sentence.push(' ');
        self.characters += sentence.chars().count();
        json!({"type": "text", "text": sentence})
    }

    fn marked(&mut self) -> Value {
        let mark = match self.random.below(4) {
            0 => json!({"type": "strong"}),
            1 => json!({"type": "em"}),
            2 => json!({"type": "code"}),
            _ => {
                let page = self.random.below(9000);
                json!({"type": "link", "attrs": {"href": format!("https://docs.example.com/p/{page}")}})
            }
        };
        json!({"type": "text", "text": "see here ", "marks": [mark]})
    }

    fn mention(&mut self) -> Value {
        let Some(user) = self.users.get(self.random.below(self.users.len())) else {
            return json!({"type": "text", "text": "@everybody "});
        };
        json!({"type": "mention", "attrs": {"id": user.account_id, "text": format!("@{}", user.name), "accessLevel": ""}})
    }

    fn card(&mut self) -> Value {
        let page = 98_304 + self.random.below(900_000);
        json!({"type": "inlineCard", "attrs": {"url": format!("https://demo.atlassian.net/wiki/spaces/ENG/pages/{page}")}})
    }

    fn code(&mut self) -> Value {
        let lines = self.random.between(2, 12);
        let lines: Vec<_> = (0..lines).map(|_| text::code_line(&mut self.random)).collect();
        let code = lines.join("\n");
        self.characters += code.chars().count();
        let language = self.random.one_of(&["java", "sql", "bash", "json"]);
        json!({"type": "codeBlock", "attrs": {"language": language}, "content": [{"type": "text", "text": code}]})
    }

    fn items(&mut self) -> Vec<Value> {
        let count = self.random.between(2, 5);
        (0..count).map(|_| node("listItem", vec![self.paragraph(1)])).collect()
    }

    fn table(&mut self) -> Value {
        let columns = self.random.between(2, 3);
        let rows = self.random.between(2, 4);
        let row = |row| {
            let kind = if row == 0 { "tableHeader" } else { "tableCell" };
            let cell = |_| attributed(kind, json!({}), vec![self.paragraph(1)]);
            node("tableRow", (0..columns).map(cell).collect())
        };
        let rows = (0..rows).map(row).collect();
        attributed("table", json!({"isNumberColumnEnabled": false, "layout": "default"}), rows)
    }
}

// `json!` copies what is put into it: whole documents are put together by hand.
fn node(kind: &str, content: Vec<Value>) -> Value {
    let mut node = json!({"type": kind});
    node["content"] = content.into();
    node
}

fn attributed(kind: &str, attrs: Value, content: Vec<Value>) -> Value {
    let mut node = node(kind, content);
    node["attrs"] = attrs;
    node
}
