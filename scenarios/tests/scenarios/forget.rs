//! Taking a fault out of a scenario.

use toml::Value;

/// Removes the steps that name a fault, wherever they are.
pub fn forget(value: &mut Value, fault: &str) {
    let names = |step: &Value| {
        let table = step.as_table();
        let get = |verb: &str| table.and_then(|table| table.get(verb));
        let armed = ["arm", "disarm"].iter().any(|verb| get(verb).and_then(Value::as_str) == Some(fault));
        armed || get("wait").and_then(|wait| wait.get("fault")).and_then(Value::as_str) == Some(fault)
    };
    match value {
        Value::Array(list) => {
            list.retain(|step| !names(step));
            list.iter_mut().for_each(|value| forget(value, fault));
        }
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| forget(value, fault)),
        _ => {}
    }
}
