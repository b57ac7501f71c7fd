//! Scenarios without one of their faults.

use toml::{Table, Value};

/// The scenario once for each of its faults: without it, and without the steps that name it. With what was done to it.
pub fn faultless(name: &str, table: &Table) -> Vec<(String, Table)> {
    let faults = table.get("fault").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let without = |(index, fault): (usize, &Value)| {
        let gone = fault.get("name").or(fault.get("point")).and_then(Value::as_str).expect("a name");
        let mut mutant = table.clone();
        mutant.get_mut("fault").and_then(Value::as_array_mut).expect("faults").remove(index);
        forget(mutant.get_mut("step").expect("steps"), gone);
        (format!("{name} without {gone}"), mutant)
    };
    faults.iter().enumerate().map(without).collect()
}

/// Removes the steps that name a fault, wherever they are.
fn forget(value: &mut Value, fault: &str) {
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
