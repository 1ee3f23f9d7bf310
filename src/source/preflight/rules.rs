//! Replication rules (`replicate_*`) next to what the source has: names that nothing answers to are mostly typos.

use super::super::connection::{SourceConnection, connect};
use super::Finding;
use crate::config::filter::FilterConfig;
use crate::config::source::SourceConfig;
use crate::error::Result;

const CHECK: &str = "replicate rules";

/// What is doubtful about the rules, by themselves and at this source. Nothing when there are no rules.
pub async fn check_rules(config: &SourceConfig, filter: &FilterConfig) -> Vec<Finding> {
    if filter.is_empty() {
        return Vec::new();
    }
    let cure = "correct the setting, if it is not meant so";
    let mut findings: Vec<Finding> = filter
        .doubts()
        .into_iter()
        .map(|doubt| Finding::warning(CHECK, doubt, cure))
        .collect();
    // Whoever cannot connect has been told so by the other checks.
    if let Ok(mut source) = connect(config).await {
        match unknown_names(&mut source, filter).await {
            Ok(unknown) => {
                findings.extend(unknown.into_iter().map(|text| {
                    let cure = "correct the name, unless it is to be made later; an account without privileges there does \
                                not see it either";
                    Finding::warning(CHECK, text, cure)
                }));
            }
            Err(error) => findings.push(Finding::failed(CHECK, &error)),
        }
        source.quit().await;
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "the source has what they name"));
    }
    findings
}

async fn unknown_names(
    source: &mut SourceConnection,
    filter: &FilterConfig,
) -> Result<Vec<String>> {
    let folds = source
        .info()
        .variable("lower_case_table_names")
        .is_some_and(|value| value != "0");
    let same = |a: &str, b: &str| a == b || folds && a.to_lowercase() == b.to_lowercase();
    let there: Vec<String> = source
        .query("SHOW DATABASES")
        .await?
        .rows
        .iter()
        .filter_map(|row| row.first()?.as_deref())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    let has = |name: &str| there.iter().any(|known| same(known, name));
    let mut unknown = Vec::new();
    for (from, _) in &filter.rewrite_db {
        if !has(from) {
            unknown.push(format!(
                "replicate_rewrite_db names `{from}`: the source has no such database"
            ));
        }
    }
    // The other rules have the names here.
    let at_source = |name: &str| {
        let rule = filter.rewrite_db.iter().find(|(_, to)| same(to, name));
        rule.map_or(name, |(from, _)| from).to_owned()
    };
    for (key, names) in filter.lists() {
        for name in names {
            let (database, table) = match name.split_once('.') {
                Some((database, table)) if !key.ends_with("_db") => (database, Some(table)),
                _ => (name.as_str(), None),
            };
            if key.contains("_wild_") && database.contains(['%', '_', '\\']) {
                continue;
            }
            let database = at_source(database);
            if !has(&database) {
                unknown.push(format!(
                    "{key} has `{name}`: the source has no database `{database}`"
                ));
            } else if let Some(table) = table.filter(|_| !key.contains("_wild_"))
                && !has_table(source, &database, table).await?
            {
                unknown.push(format!(
                    "{key} has `{name}`: `{database}` has no such table at the source"
                ));
            }
        }
    }
    Ok(unknown)
}

async fn has_table(source: &mut SourceConnection, database: &str, table: &str) -> Result<bool> {
    let text = |name: &str| {
        let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("CONVERT(X'{hex}' USING utf8mb4)")
    };
    let sql = format!(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        text(database),
        text(table)
    );
    Ok(!source.query(&sql).await?.rows.is_empty())
}
