//! The results in a receipt, as plain data: which checks there are is known to verify alone.

use serde_json::Value;

use crate::printable;

/// The ends of a check that a release may have.
const MET: [&str; 2] = ["passed", "not-applicable"];

/// Why the results in a receipt prove nothing, by the checks of its own day; none when each check has passed or
/// does not apply. Whether they are the checks of today is for verify to judge.
pub fn unmet(receipt: &Value) -> Option<String> {
    let results = receipt["results"].as_array();
    let Some(results) = results.filter(|results| !results.is_empty()) else {
        return Some("its receipt has no results".to_owned());
    };
    let is_met = |result: &&Value| {
        let status = result["status"].as_str();
        status.is_some_and(|status| MET.contains(&status))
    };
    let result = results.iter().find(|result| !is_met(result))?;
    let [check, status] = ["id", "status"].map(|field| match &result[field] {
        Value::String(text) => printable::short(text),
        _ => "nothing".to_owned(),
    });
    Some(format!(
        "its receipt says `{status}` of the check `{check}`"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proof::verification::tests::good;

    #[test]
    fn a_receipt_proves_what_all_of_its_checks_say() {
        let result = |status: &str| json!({"id": "seed-3-node", "status": status});
        for (results, expected) in [
            (json!([result("passed"), result("not-applicable")]), None),
            (json!([]), Some("its receipt has no results")),
            (json!(null), Some("its receipt has no results")),
            (
                json!({"0": result("passed")}),
                Some("its receipt has no results"),
            ),
            (
                json!([result("passed"), result("failed\n::add-mask::\u{1b}")]),
                Some("its receipt says `failed ::add-mask::\\u{1b}` of the check `seed-3-node`"),
            ),
            (
                json!([result("unproven")]),
                Some("its receipt says `unproven` of the check `seed-3-node`"),
            ),
            (
                json!([result("Passed")]),
                Some("its receipt says `Passed` of the check `seed-3-node`"),
            ),
            (
                json!(["passed"]),
                Some("its receipt says `nothing` of the check `nothing`"),
            ),
            (
                json!([{"id": 7, "status": ["passed"]}]),
                Some("its receipt says `nothing` of the check `nothing`"),
            ),
        ] {
            let found = unmet(&json!({"results": results}));
            assert_eq!(found.as_deref(), expected, "{results}");
        }
        assert_eq!(unmet(&good().receipt), None);
    }
}
