//! The rules of a policy as options, in both spellings: `--keep "daily 30"` and `--keep-daily 30`.

use esker_engine::ops::forget::{
    CalendarSpan, Grouping, KeepPolicy, KeepRule, Period, parse_count,
};
use jiff::tz::TimeZone;

use crate::app::units::parse_time_zone;

/// What is kept. All of these may be combined: a snapshot is kept where one of them keeps it.
#[derive(Debug, clap::Args)]
#[group(id = "policy", multiple = true)]
pub(super) struct KeepOptions {
    /// Keep what a rule says: "last 5", "daily 30", "within 14d", "tag audit"; may be repeated
    #[arg(long, value_name = "RULE")]
    keep: Vec<KeepRule>,
    /// Keep so many of the newest; a number, or unlimited
    #[arg(long, value_name = "N", value_parser = parse_count)]
    keep_last: Option<u64>,
    /// Keep the newest of each of so many hours
    #[arg(long, value_name = "N", value_parser = parse_count)]
    keep_hourly: Option<u64>,
    /// Keep the newest of each of so many days
    #[arg(long, value_name = "N", value_parser = parse_count)]
    keep_daily: Option<u64>,
    /// Keep the newest of each of so many weeks, which begin on Monday
    #[arg(long, value_name = "N", value_parser = parse_count)]
    keep_weekly: Option<u64>,
    /// Keep the newest of each of so many months
    #[arg(long, value_name = "N", value_parser = parse_count)]
    keep_monthly: Option<u64>,
    /// Keep the newest of each of so many quarters of a year
    #[arg(long, value_name = "N", value_parser = parse_count)]
    keep_quarterly: Option<u64>,
    /// Keep the newest of each of so many halves of a year
    #[arg(long, value_name = "N", value_parser = parse_count)]
    keep_half_yearly: Option<u64>,
    /// Keep the newest of each of so many years
    #[arg(long, value_name = "N", value_parser = parse_count)]
    keep_yearly: Option<u64>,
    /// Keep all that are less than so much older than the newest, such as 14d or 2y5m7d3h
    #[arg(long, value_name = "SPAN")]
    keep_within: Option<CalendarSpan>,
    /// Keep all that have this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    keep_tag: Vec<String>,
}

impl KeepOptions {
    /// The rules, in the order of the help.
    fn rules(&self) -> Vec<KeepRule> {
        let every = |period, count: Option<u64>| Some(KeepRule::Every(period, count?));
        let counted = [
            self.keep_last.map(KeepRule::Last),
            every(Period::Hour, self.keep_hourly),
            every(Period::Day, self.keep_daily),
            every(Period::Week, self.keep_weekly),
            every(Period::Month, self.keep_monthly),
            every(Period::Quarter, self.keep_quarterly),
            every(Period::HalfYear, self.keep_half_yearly),
            every(Period::Year, self.keep_yearly),
            self.keep_within.map(KeepRule::Within),
        ];
        let tags = self.keep_tag.iter().cloned().map(KeepRule::Tag);
        self.keep.iter().cloned().chain(counted.into_iter().flatten()).chain(tags).collect()
    }
}

/// A policy: what is kept, and of what.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct PolicyOptions {
    #[command(flatten)]
    keep: KeepOptions,
    /// Let days and weeks begin as in this time zone, such as Europe/Berlin; local is this machine's
    #[arg(long, value_name = "NAME", value_parser = parse_time_zone, default_value = "UTC", requires = "policy")]
    timezone: TimeZone,
    /// Look at each host or set of tags on its own too, not only at each source: source,host,tags
    #[arg(long, value_name = "WORDS", default_value = "source", requires = "policy")]
    group_by: Grouping,
    /// Let the policy look at snapshots of this source only
    #[arg(long, value_name = "SOURCE", requires = "policy")]
    pub(super) source: Option<String>,
    /// Let the policy look at snapshots with this tag only; with all of them where repeated
    #[arg(long, value_name = "TAG", requires = "policy")]
    pub(super) tag: Vec<String>,
}

impl PolicyOptions {
    /// The policy as the engine knows it.
    pub(super) fn policy(&self) -> KeepPolicy {
        KeepPolicy {
            rules: self.keep.rules(),
            zone: self.timezone.clone(),
            grouping: self.group_by,
        }
    }
}
