//! ALTER TABLE with new names of columns: the expressions that name them.

use super::alter::{Slot, is_written_anew};
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::AlterAction;
use crate::schema::ddl::with_new_names;
use crate::schema::table::Table;

/// Generated columns that the statement does not define anew follow the new names of the columns that they are made of.
pub(super) fn rename_in_expressions(
    before: &Table,
    actions: &[AlterAction],
    slots: &mut [Slot],
    context: &SqlContext,
) {
    let names: Vec<(String, String)> = slots
        .iter()
        .filter_map(|slot| {
            let old = before.columns.get(slot.from?)?;
            let is_renamed = old.name != slot.column.name;
            is_renamed.then(|| (old.name.clone(), slot.column.name.clone()))
        })
        .collect();
    if names.is_empty() {
        return;
    }
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .map(|(old, new)| (old.as_str(), new.as_str()))
        .collect();
    for slot in slots {
        let old = slot.from.and_then(|from| before.columns.get(from));
        if let (Some(old), Some(generated)) = (old, &mut slot.column.generated)
            && !is_written_anew(old, actions)
            && pairs.iter().any(|(name, _)| generated.mentions(name))
            && let Some(text) = with_new_names(
                &generated.expression,
                context.flavor,
                context.version,
                &pairs,
            )
        {
            generated.expression = text;
            slot.follows_names = true;
        }
    }
}
