//! The listing of transactions, newest first, and what is wrong with it at times.

use serde_json::{Value, json};

use super::{
    super::{
        faults::{Fault, Faults},
        wire,
    },
    answers::View,
};

/// What `getSignaturesForAddress` says.
pub(super) fn listing(view: &View<'_>, config: &Value, fault: Option<Fault>, faults: &mut Faults) -> Value {
    let limit = config["limit"]
        .as_u64()
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(1_000);
    let newest_first = view.blocks.iter().rev().flat_map(|block| {
        let transactions = block.transactions.iter().rev();
        transactions.map(move |executed| (block, executed))
    });
    let mut entries: Vec<Value> = Vec::new();
    let (before, until) = (config["before"].as_str(), config["until"].as_str());
    let mut begun = before.is_none();
    for (block, executed) in newest_first {
        let signature = wire::signature(executed);
        if !begun {
            begun = before == Some(&signature);
            continue;
        }
        if until == Some(&signature) || entries.len() >= limit {
            break;
        }
        entries.push(json!({
            "signature": signature, "slot": block.slot, "err": wire::error(executed), "memo": null,
            "blockTime": block.time, "confirmationStatus": view.status(block.slot),
        }));
    }
    if let Some(fault) = fault {
        disturb(&mut entries, config["minContextSlot"].as_u64(), fault, faults);
    }
    Value::Array(entries)
}

/// Puts in disorder what is not final: an index is complete sooner or later. It counts where it concerns what whoever asks
/// has not read, because it came after the slot that the node must have reached.
fn disturb(entries: &mut Vec<Value>, read: Option<u64>, fault: Fault, faults: &mut Faults) {
    let unsettled = entries
        .iter()
        .take_while(|entry| entry["confirmationStatus"] == "confirmed");
    let new = unsettled
        .clone()
        .take_while(|entry| entry["slot"].as_u64() > read)
        .count();
    let among = if new > 1 { new } else { unsettled.count() };
    if among < 2 {
        return;
    }
    let at = faults.place(among - 1);
    match fault {
        Fault::Twice => entries.insert(at, entries.get(at).cloned().unwrap_or_default()),
        Fault::Swapped => entries.swap(at, at + 1),
        // What came after it is there.
        Fault::Gap => {
            entries.remove(at + 1);
        }
        _ => return,
    }
    if new > 1 {
        faults.struck(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two that are final, and then so many that are not, newest first.
    fn entries(unsettled: u64) -> Vec<Value> {
        let status = |slot| if slot > 2 { "confirmed" } else { "finalized" };
        let slots = (1..=2 + unsettled).rev();
        slots
            .map(|slot| json!({ "slot": slot, "confirmationStatus": status(slot) }))
            .collect()
    }

    fn disturbed(unsettled: u64, read: u64, fault: Fault) -> (Vec<u64>, String) {
        let (mut entries, mut faults) = (entries(unsettled), Faults::new(7));
        disturb(&mut entries, Some(read), fault, &mut faults);
        let slots = entries.iter().filter_map(|entry| entry["slot"].as_u64());
        (slots.collect(), faults.met().to_string())
    }

    #[test]
    fn a_gap_is_among_what_is_new_and_not_at_its_end() {
        let (slots, met) = disturbed(2, 2, Fault::Gap);
        assert_eq!(slots, [4, 2, 1]);
        assert!(met.contains("gaps: 1"), "{met}");
    }

    #[test]
    fn what_was_read_before_is_disturbed_and_does_not_count() {
        let (slots, met) = disturbed(2, 4, Fault::Swapped);
        assert_eq!(slots, [3, 4, 2, 1]);
        assert!(met.contains("answers out of order: 0"), "{met}");
    }

    #[test]
    fn what_is_final_is_in_order() {
        for fault in [Fault::Twice, Fault::Swapped, Fault::Gap] {
            assert_eq!(disturbed(1, 0, fault).0, [3, 2, 1]);
        }
    }
}
