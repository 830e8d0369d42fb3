//! Words: sentences that read like work, from templates and a vocabulary, with the numbers and names that make each one new.

use super::random::Random;

const THINGS: &[&str] = &[
    "the login page",
    "the nightly import",
    "the billing report",
    "the search index",
    "the mobile client",
    "the export job",
    "the payment gateway",
    "the audit trail",
    "the onboarding wizard",
    "the dashboard",
    "the message queue",
    "the cache layer",
    "the user directory",
    "the invoice template",
    "the webhook receiver",
    "the settings dialog",
    "the permission check",
    "the PDF renderer",
    "the rate limiter",
    "the backup agent",
    "the release pipeline",
    "the staging cluster",
    "the customer portal",
    "the pricing table",
    "the feature flag",
    "the date picker",
    "the CSV parser",
    "the session store",
    "the address form",
    "the notification service",
];

const DEFECTS: &[&str] = &[
    "fails with a timeout",
    "shows stale data",
    "loses the selected filter",
    "duplicates the last row",
    "returns an empty list",
    "ignores the time zone",
    "crashes on an empty value",
    "takes far too long",
    "rejects names with an apostrophe",
    "forgets the language",
    "rounds amounts twice",
    "sends two mails",
    "hangs after the second retry",
    "cannot be cancelled",
    "overwrites newer changes",
    "breaks the layout",
    "leaks file handles",
    "accepts expired tokens",
    "sorts upper-case names first",
    "drops trailing zeros",
];

const WISHES: &[&str] = &[
    "support single sign-on",
    "remember the last choice",
    "show progress",
    "offer a dry run",
    "be paginated",
    "keep an archive of old entries",
    "warn before it deletes",
    "use the new design",
    "work offline",
    "be translated into Japanese",
    "log who changed what",
    "retry with back-off",
    "accept several files at once",
    "respect the quiet hours",
    "export to a spreadsheet",
    "be reachable by keyboard",
    "explain its errors",
];

const OCCASIONS: &[&str] = &[
    "after the upgrade to version",
    "since build",
    "when more than this many rows are selected:",
    "on node",
    "after exactly this many seconds:",
    "for customer number",
    "with ticket",
    "in batch",
    "on port",
    "while migration step this was running:",
];

const REMARKS: &[&str] = &[
    "I could reproduce it on my machine",
    "This was discussed in the weekly meeting",
    "Support has had calls about this",
    "It only happens with a cold cache",
    "We agreed to look at it again next sprint",
    "Nobody remembers why it was built so",
    "The logs say nothing useful",
    "A restart helps for about an hour",
    "The old behaviour is documented nowhere",
    "Legal wants this before the end of the quarter",
    "It may be related to the proxy",
    "QA has a failing test for it",
    "The fix is small but the review will not be",
    "We should measure before we change anything",
    "Please add the exact steps and the build number",
    "Reverting the last change did not help",
    "I have pushed a branch with a first attempt",
    "This needs a migration, so not before the freeze",
];

const FOREIGN: &[&str] = &[
    "Größe der Datei überschreitet das Limit – bitte prüfen.",
    "再現手順は添付ファイルを参照してください。",
    "Пользователь не получает письмо с подтверждением.",
    "L’utilisateur voit « accès refusé » après la mise à jour.",
    "사용자가 로그아웃된 뒤에도 세션이 남아 있습니다.",
    "Błąd występuje tylko przy polskich znakach: zażółć gęślą jaźń.",
    "الرسالة تظهر بالاتجاه الخاطئ في التقرير.",
    "Works on my machine 🎉 but not on Zoë’s 🤷🏽‍♀️.",
    "Ζητείται επιβεβαίωση πριν από τη διαγραφή.",
    "कृपया निर्यात फ़ाइल की जाँच करें।",
];

const CODE: &[&str] = &[
    "java.lang.IllegalStateException: no open transaction",
    "    at com.example.store.Session.flush(Session.java:",
    "    at com.example.jobs.Importer.run(Importer.java:",
    "WARN  pool-",
    "ERROR request ",
    "select id, amount from invoice where batch = ",
    "curl -sS -X POST https://api.example.com/v2/batches/",
    "thread 'worker' panicked at src/queue.rs:",
    "exit status ",
    "  \"correlationId\": ",
    "GET /v2/customers/",
    "DEBUG cache miss for key order:",
];

const FIRST: &[&str] = &[
    "Anna", "Bilal", "Chiara", "Dmitri", "Esra", "Femi", "Grace", "Hiroshi", "Inês", "Jürgen",
    "Keiko", "Liam", "Maja", "Noël", "Olga", "Pavel", "Quỳnh", "Rosa", "Søren", "Tariq", "Ursula",
    "Víctor", "Wei", "Ximena", "Yusuf", "Zoë",
];

const LAST: &[&str] = &[
    "Abe",
    "Brandt",
    "Castillo",
    "Dubois",
    "Eriksson",
    "Fischer",
    "García",
    "Haddad",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Lindqvist",
    "Murphy",
    "Nakamura",
    "O'Brien",
    "Petrov",
    "Quiroga",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Ünal",
    "Varga",
    "Williams",
    "Xu",
    "Yılmaz",
    "Zhang",
];

const LABELS: &[&str] = &[
    "backend",
    "frontend",
    "regression",
    "customer",
    "quick-win",
    "tech-debt",
    "security",
    "performance",
    "needs-triage",
    "flaky",
    "ux",
    "documentation",
    "migration",
    "größe",
    "日本語",
    "release-blocker",
    "spike",
    "a11y",
];

const COMPONENTS: &[&str] = &[
    "API",
    "Web client",
    "Billing",
    "Import/Export",
    "Search",
    "Notifications",
    "Permissions",
    "Reporting",
    "Mobile",
    "Infrastructure",
    "Überwachung",
    "Documentation",
];

const PROJECTS: &[(&str, &str)] = &[
    ("PAY", "Payments"),
    ("WEB", "Web Shop"),
    ("OPS", "Operations"),
    ("MOB", "Mobile Apps"),
    ("DATA", "Data Platform"),
    ("SUP", "Customer Support"),
    ("HR", "Human Resources"),
    ("SEC", "Security"),
    ("DOC", "Documentation"),
    ("INT", "Integrations"),
    ("QA", "Quality"),
    ("UX", "Design"),
    ("LEG", "Legal & Compliance"),
    ("MKT", "Marketing"),
    ("FIN", "Finanzen"),
    ("LAB", "研究室"),
];

const FILES: &[(&str, &str)] = &[
    ("screenshot", "image/png"),
    ("photo", "image/jpeg"),
    ("server", "text/plain"),
    ("export", "text/csv"),
    ("report", "application/pdf"),
    ("trace", "application/json"),
    ("dump", "application/zip"),
    ("notes", "text/markdown"),
];

/// Names that have broken tools before: every site has some.
const HOSTILE_FILES: &[&str] = &[
    "../../etc/passwd",
    "a/b.txt",
    "two\nlines.txt",
    "CON.txt",
    "..\\..\\windows\\system.ini",
    ".",
    " leading and trailing ",
    "naïve-ﬁle-🎉-e\u{301}.txt",
    "quote\"and'apostrophe;$(id).sh",
    "tab\there.log",
    "\u{202e}gpj.exe",
    "NUL",
    "trailing.dot.",
    "percent%2F..%2Fescape.txt",
    "Invalid file id - 7f0b1c52-3a47-4a33-8b1e-0a2b4c6d8e0f",
];

/// One sentence about something that is wrong, wanted or known.
pub(crate) fn sentence(random: &mut Random) -> String {
    let thing = random.one_of(THINGS);
    match random.below(8) {
        0 | 1 => capital(&format!("{thing} {}.", random.one_of(DEFECTS))),
        2 => capital(&format!(
            "{thing} {} {} {}.",
            random.one_of(DEFECTS),
            random.one_of(OCCASIONS),
            random.below(90_000)
        )),
        3 => format!("{}, and {thing} should {}.", random.one_of(REMARKS), random.one_of(WISHES)),
        4 => format!(
            "Before {thing} can {}, {} has to {}.",
            random.one_of(WISHES),
            random.one_of(THINGS),
            random.one_of(WISHES)
        ),
        5 => format!("{} (commit {:07x}).", random.one_of(REMARKS), random.next() >> 36),
        6 if random.percent(30) => random.one_of(FOREIGN).to_owned(),
        _ => format!("{}.", random.one_of(REMARKS)),
    }
}

/// The summary of an issue.
pub(crate) fn summary(random: &mut Random, bug: bool) -> String {
    if random.percent(4) {
        return random.one_of(FOREIGN).trim_end_matches(['.', '。']).to_owned();
    }
    let thing = random.one_of(THINGS);
    if bug {
        capital(&format!("{thing} {}", random.one_of(DEFECTS)))
    } else {
        capital(&format!("{thing} should {}", random.one_of(WISHES)))
    }
}

/// A line of a log, a stack trace or a command.
pub(crate) fn code_line(random: &mut Random) -> String {
    format!("{}{:x}", random.one_of(CODE), random.next() >> 40)
}

pub(crate) fn person(index: usize, random: &mut Random) -> String {
    let first = FIRST[index % FIRST.len()];
    let last = random.one_of(LAST);
    if index < FIRST.len() { format!("{first} {last}") } else { format!("{first} {last} {index}") }
}

pub(crate) fn label(random: &mut Random) -> String {
    random.one_of(LABELS).to_owned()
}

pub(crate) fn component(index: usize) -> String {
    let name = COMPONENTS[index % COMPONENTS.len()];
    if index < COMPONENTS.len() { name.to_owned() } else { format!("{name} {index}") }
}

/// The key and the name of a project.
pub(crate) fn project(index: usize) -> (String, String) {
    let (key, name) = PROJECTS[index % PROJECTS.len()];
    match index / PROJECTS.len() {
        0 => (key.to_owned(), name.to_owned()),
        round => (format!("{key}{round}"), format!("{name} {round}")),
    }
}

/// One of the hostile names.
pub(crate) fn hostile_file(place: usize) -> String {
    match HOSTILE_FILES.get(place % (HOSTILE_FILES.len() + 1)) {
        Some(name) => (*name).to_owned(),
        None => "ü長🎈é".chars().cycle().take(250).collect(),
    }
}

/// The name and the media type of a file.
pub(crate) fn file(random: &mut Random) -> (String, &'static str) {
    let &(stem, mime) = &FILES[random.below(FILES.len())];
    let extension = match mime {
        "text/plain" => "log",
        "text/markdown" => "md",
        other => other.rsplit('/').next().unwrap_or("bin"),
    };
    // Few numbers, so that an issue can have two files of the same name.
    (format!("{stem}-{}.{extension}", random.below(40)), mime)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
