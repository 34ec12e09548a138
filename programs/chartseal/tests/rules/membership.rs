//! The hashes of grants without a name: Poseidon as circomlib has it, and what each value commits to.

use anchor_lang::prelude::{Address, ProgramError};
use chartseal_program::{
    membership::{self, *},
    ChartsealError, ID,
};
use sha2::{Digest, Sha256};

/// The order of BN254's scalar field (EIP-197), and what Poseidon of 1, of 1 and 2, and so on up to 1 to 12 is, as
/// circomlibjs and go-iden3-crypto test it.
const ORDER: &str = "21888242871839275222246405745257275088548364400416034343698204186575808495617";
const HASHES: [&str; 12] = [
    "18586133768512220936620570745912940619677854269274689475585506675881198879027",
    "7853200120776062878684798364095072458815029376092732009249414926327459813530",
    "6542985608222806190361240322586112750744169038454362455181422643027100751666",
    "18821383157269793795438455681495246036402687001665670618754263018637548127333",
    "6183221330272524995739186171720101788151706631170188140075976616310159254464",
    "20400040500897583745843009878988256314335038853985262692600694741116813247201",
    "12748163991115452309045839028154629052133952896122405799815156419278439301912",
    "18604317144381847857886385684060986177838410221561136253933256952257712543953",
    "13589767895268936107593642967621470491511464502761040466226072462545218539640",
    "3657500514307717306974218405144578736633140001277925127187636780142269815841",
    "3572015662710076994097916907865950486270383304442561406230608893458731714472",
    "2501997477381648492950318384533644783248002172679259592360114615426357826485",
];

/// The bytes of a number that is written with ten digits.
fn decimal(digits: &str) -> Field {
    let mut bytes = [0; 32];
    for digit in digits.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 10 + carry;
            *byte = value as u8;
            carry = value >> 8;
        }
        assert_eq!(carry, 0);
    }
    bytes
}

/// The order, and as many more or less.
fn order_and(more: i8) -> Field {
    let mut bytes = decimal(ORDER);
    // It ends with 0x00000001.
    bytes[31] = bytes[31].wrapping_add_signed(more);
    if more < -1 {
        bytes[28..31].fill(0xFF);
        bytes[27] -= 1;
    }
    bytes
}

#[allow(clippy::needless_pass_by_value)] // It is handed over as it comes.
fn not_a_field<T: std::fmt::Debug + PartialEq>(outcome: Result<T, ProgramError>) {
    assert_eq!(outcome, Err(ChartsealError::NotAField.into()));
}

#[test]
fn poseidon_is_circomlibs() {
    for (count, hash) in (1..).zip(HASHES) {
        let inputs: Vec<Field> = (1..=count).map(small).collect();
        let inputs: Vec<&Field> = inputs.iter().collect();
        assert_eq!(poseidon(&inputs), Ok(decimal(hash)), "of {count}");
    }
    let of_zeros = decimal("14744269619966411208579211824598458697587494354926760081771325075741142829156");
    assert_eq!(node(&NO_LEAF, &NO_LEAF), Ok(of_zeros));
}

#[test]
fn poseidon_takes_one_to_twelve_elements_of_the_field() {
    not_a_field(poseidon(&[]));
    not_a_field(poseidon(&[&small(1); 13]));
    for count in 1..=12 {
        for place in 0..count {
            for (more, fine) in [(-2, true), (-1, true), (0, false), (1, false)] {
                let (one, edge) = (small(1), order_and(more));
                let mut inputs = vec![&one; count];
                inputs[place] = &edge;
                let outcome = poseidon(&inputs);
                if fine {
                    assert!(outcome.is_ok());
                } else {
                    not_a_field(outcome);
                }
            }
        }
    }
    not_a_field(poseidon(&[&[0xFF; 32]]));
}

#[test]
fn only_what_is_less_than_the_order_is_canonical() {
    for (more, canonical) in [(-2, true), (-1, true), (0, false), (1, false), (127, false)] {
        assert_eq!(is_canonical(&order_and(more)), canonical, "order + {more}");
    }
    assert!(is_canonical(&[0; 32]) && is_canonical(&small(u64::MAX)) && is_canonical(&number(&[0xFF; 16])));
    assert!(!is_canonical(&[0xFF; 32]));
}

#[test]
fn zeros_are_the_roots_of_empty_trees() {
    let mut zero = NO_LEAF;
    for level in ZEROS {
        assert_eq!(level, zero);
        zero = poseidon(&[&zero, &zero]).unwrap();
    }
    assert_eq!((ZEROS.len(), CAPACITY), (DEPTH + 1, 1 << 20));
}

#[test]
fn numbers_stand_at_the_end() {
    assert_eq!(small(0x0102), decimal("258"));
    assert_eq!(small(u64::MAX), decimal("18446744073709551615"));
    assert_eq!(number(&[0xFF; 16]), decimal("340282366920938463463374607431768211455"));
    let id = std::array::from_fn(|n| n as u8);
    assert_eq!(number(&id)[16..], id);
}

const TERMS: AnonymousTerms = AnonymousTerms {
    rights: 0b1_0001,
    expires: 1_800_000_000,
    key: [7; 32],
    commitment: [9; 32],
};

#[test]
fn leaf_is_the_hash_that_the_documentation_gives() {
    let (patient, id) = ([1; 16], [2; 16]);
    let record = membership::record(&patient, &id).unwrap();
    assert_eq!(record, poseidon(&[&number(&patient), &number(&id)]).unwrap());
    let key: [u8; 32] = std::array::from_fn(|n| 0xF0 ^ n as u8);
    let terms = AnonymousTerms { key, ..TERMS };
    let by_hand = poseidon(&[
        &record,
        &small(0b1_0001),
        &small(1_800_000_000),
        &number(key[..16].try_into().unwrap()),
        &number(key[16..].try_into().unwrap()),
        &[9; 32],
    ]);
    assert_eq!(terms.leaf(&record), by_hand);
}

#[test]
fn leaf_is_bound_to_all_that_it_says() {
    let record = |patient: u8, id: u8| membership::record(&[patient; 16], &[id; 16]).unwrap();
    let with = |change: fn(&mut AnonymousTerms)| {
        let mut terms = TERMS;
        change(&mut terms);
        terms.leaf(&record(1, 2)).unwrap()
    };
    let mut leaves = vec![
        with(|_| {}),
        with(|terms| terms.rights ^= 1),
        with(|terms| terms.rights ^= 1 << 7),
        with(|terms| terms.expires += 1),
        with(|terms| terms.expires = i64::MAX),
        with(|terms| terms.expires = 0),
        with(|terms| terms.key[0] ^= 1),
        with(|terms| terms.key[15] ^= 1),
        with(|terms| terms.key[16] ^= 1),
        with(|terms| terms.key[31] ^= 1),
        with(|terms| terms.key.rotate_left(16)),
        with(|terms| terms.key = [0xFF; 32]),
        with(|terms| terms.commitment[0] ^= 1),
        with(|terms| terms.commitment[31] ^= 1),
        TERMS.leaf(&record(2, 1)).unwrap(),
        TERMS.leaf(&record(1, 1)).unwrap(),
    ];
    // All of one byte, the halves of that key are the same, so turning it around changes nothing.
    let count = leaves.len() - 1;
    leaves.sort_unstable();
    leaves.dedup();
    assert_eq!(leaves.len(), count);
}

#[test]
fn leaf_of_no_commitment_record_or_time_is_refused() {
    let record = small(5);
    let with = |commitment| AnonymousTerms { commitment, ..TERMS };
    assert!(with(order_and(-1)).leaf(&record).is_ok());
    not_a_field(with(order_and(0)).leaf(&record));
    not_a_field(with([0xFF; 32]).leaf(&record));
    not_a_field(TERMS.leaf(&order_and(0)));
    for expires in [-1, i64::MIN] {
        let terms = AnonymousTerms { expires, ..TERMS };
        assert_eq!(terms.leaf(&record), Err(ChartsealError::BadValidity.into()));
    }
}

#[test]
fn scope_and_message_are_the_hashes_that_the_documentation_gives() {
    let (verifier, relayer) = (Address::new_from_array([3; 32]), Address::new_from_array([4; 32]));
    let by_hand = |parts: &[&[u8]]| -> Field {
        let mut hash: Field = parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into();
        hash[0] = 0;
        hash
    };
    for epoch in [0, 1, 490_000, u64::MAX] {
        let expected = by_hand(&[b"chartseal/scope/v1", ID.as_ref(), &[3; 32], &epoch.to_le_bytes()]);
        assert_eq!(scope(&verifier, epoch), expected);
        assert!(is_canonical(&expected));
    }
    let expected = by_hand(&[
        b"chartseal/access-message/v1",
        ID.as_ref(),
        &[5; 16],
        &[3; 32],
        &[4; 32],
    ]);
    assert_eq!(message(&[5; 16], &verifier, &relayer), expected);
    let all = [
        expected,
        message(&[6; 16], &verifier, &relayer),
        message(&[5; 16], &relayer, &verifier),
        message(&[5; 16], &relayer, &relayer),
        scope(&verifier, 1),
        scope(&relayer, 1),
        scope(&verifier, 2),
    ];
    for (n, one) in all.iter().enumerate() {
        assert!(is_canonical(one) && !all[..n].contains(one));
    }
}

#[test]
fn epochs_are_hours_since_1970() {
    for (at, number) in [
        (i64::MIN, 0),
        (-1, 0),
        (0, 0),
        (3_599, 0),
        (3_600, 1),
        (7_199, 1),
        (i64::MAX, 2_562_047_788_015_215),
    ] {
        assert_eq!(epoch(at), number, "at {at}");
    }
}
