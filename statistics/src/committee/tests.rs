use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

use super::{dealing, sealing, *};
use crate::{
    group::{G, Number, Point, h},
    shamir,
};

/// A committee that has come as far as the second round, with all its secrets.
struct Table {
    seats: Vec<Seat>,
    setup: Setup,
    dealings: Vec<Dealing>,
    promises: Vec<[u8; 32]>,
    reveals: Vec<Reveal>,
    /// By receiver, then by dealer.
    sealed: Vec<Vec<SealedShare>>,
}

impl Table {
    fn of(k: u8, n: usize) -> Self {
        let seats: Vec<Seat> = (0..n).map(|_| Seat::new().unwrap()).collect();
        let setup = Setup {
            committee: [7; 16],
            epoch: 1,
            threshold: k,
            members: seats.iter().map(Seat::public).collect(),
        };
        let dealings: Vec<_> = setup.indices().map(|i| Dealing::new(&setup, i).unwrap()).collect();
        let promises: Vec<_> = dealings.iter().map(Dealing::promise).collect();
        let mut table = Self {
            seats,
            setup,
            dealings,
            promises,
            reveals: Vec::new(),
            sealed: Vec::new(),
        };
        table.reveal();
        table
    }

    fn reveal(&mut self) {
        let dealt = self
            .dealings
            .iter()
            .map(|dealing| dealing.reveal(&self.promises).unwrap());
        let (reveals, by_dealer): (Vec<_>, Vec<_>) = dealt.unzip();
        self.reveals = reveals;
        self.sealed = (0..self.seats.len())
            .map(|receiver| by_dealer.iter().map(|shares| shares[receiver].clone()).collect())
            .collect();
    }

    fn dealt(&self) -> Result<Dealt, CommitteeError> {
        Dealt::check(&self.setup, &self.promises, &self.reveals)
    }

    fn receive(&self, index: u8) -> Result<Holder, CommitteeError> {
        let place = usize::from(index) - 1;
        Holder::receive(&self.dealt()?, &self.seats[place], index, &self.sealed[place])
    }

    fn session(&self) -> [u8; 32] {
        dealing::session(&self.setup, &self.promises).unwrap()
    }
}

/// A committee with its key.
pub(crate) struct Made {
    pub(crate) ceremony: Ceremony,
    pub(crate) key: CommitteeKey,
    pub(crate) members: Vec<MemberKey>,
}

pub(crate) fn made(k: u8, n: usize) -> Made {
    let table = Table::of(k, n);
    let dealt = table.dealt().unwrap();
    let holders: Vec<_> = table.setup.indices().map(|i| table.receive(i).unwrap()).collect();
    let products: Vec<_> = holders.iter().map(|holder| holder.product(&dealt).unwrap()).collect();
    let opened = dealt.open(&products).unwrap();
    let key_shares: Vec<_> = holders
        .iter()
        .map(|holder| holder.key_share(&opened).unwrap())
        .collect();
    let key = opened.finish(&key_shares).unwrap();
    Made {
        members: holders.into_iter().map(|holder| holder.finish(&key).unwrap()).collect(),
        key,
        ceremony: Ceremony {
            setup: table.setup,
            promises: table.promises,
            reveals: table.reveals,
            products,
            key_shares,
        },
    }
}

#[test]
fn any_k_members_hold_the_inverse_of_the_public_key_and_fewer_do_not() {
    for (k, n) in [(2, 3), (3, 5), (2, 9)] {
        let made = made(k, n);
        let public = made.key.public.open().unwrap();
        assert_eq!(made.ceremony.verify().unwrap(), made.key);
        let share = |member: &MemberKey| (member.index(), *member.secret());
        for first in 0..=n - usize::from(k) {
            let some: Vec<_> = made.members[first..first + usize::from(k)].iter().map(share).collect();
            assert_eq!(shamir::number_at(&some, 0) * public, h());
            assert_ne!(shamir::number_at(&some[1..], 0) * public, h());
        }
    }
}

#[test]
fn no_committee_is_too_small_too_large_or_has_one_member_twice() {
    let table = Table::of(3, 5);
    for (k, n) in [(1, 5), (0, 5), (4, 5), (2, 2), (255, 5), (3, 0)] {
        let setup = Setup {
            threshold: k,
            members: table.setup.members[..n].to_vec(),
            ..table.setup.clone()
        };
        assert_eq!(setup.check(), Err(CommitteeError::Size { k, n }));
    }
    let mut setup = table.setup.clone();
    setup.members = (0..10).map(|i| [i; 32]).collect();
    assert_eq!(setup.check(), Err(CommitteeError::Size { k: 3, n: 10 }));
    let mut setup = table.setup;
    setup.members[4] = setup.members[1];
    assert_eq!(setup.check(), Err(CommitteeError::SameKey { member: 5 }));
    setup.members[4] = [0; 32];
    let dealing = Dealing::new(&setup, 1).unwrap();
    let mut promises = vec![dealing.promise(); 5];
    assert_eq!(
        dealing.reveal(&promises).unwrap_err(),
        CommitteeError::EncryptionKey { member: 5 }
    );
    promises[0] = [0; 32];
    assert_eq!(
        dealing.reveal(&promises).unwrap_err(),
        CommitteeError::OwnPromise { member: 1 }
    );
    assert_eq!(
        dealing.reveal(&promises[1..]).unwrap_err(),
        CommitteeError::Messages { expected: 5, got: 4 }
    );
    assert_eq!(
        Dealing::new(&setup, 6).unwrap_err(),
        CommitteeError::NoMember { member: 6 }
    );
}

#[test]
fn a_dealer_of_a_wrong_share_is_named_by_its_receiver_and_by_all() {
    for wrong in 0..3 {
        let mut table = Table::of(3, 5);
        let dealt = table.dealt().unwrap();
        let good = table.sealed[3][1].clone();
        // It is sealed as it should be, and one of its three numbers is another.
        let mut share = sealing::open(&table.session(), &table.seats[3], &good).unwrap();
        let number = [&mut share.key, &mut share.mask, &mut share.zero]
            .into_iter()
            .nth(wrong)
            .unwrap();
        **number += Scalar::ONE;
        table.sealed[3][1] = sealing::seal(&table.setup, &table.session(), (2, 4), &share).unwrap();
        assert_eq!(table.receive(4).unwrap_err(), CommitteeError::Share { dealer: 2 });
        table.receive(3).unwrap();
        // The receiver shows its secret, and all agree; a receiver that complains of a good share is at fault itself.
        let shown = table.seats[3].secret();
        assert_eq!(at_fault(&dealt, &table.sealed[3][1], shown), 2);
        assert_eq!(at_fault(&dealt, &good, shown), 4);
        assert_eq!(at_fault(&dealt, &table.sealed[3][1], table.seats[2].secret()), 4);
    }
}

#[test]
fn a_share_opens_only_where_it_was_sent() {
    let table = Table::of(2, 3);
    let (session, sealed) = (table.session(), &table.sealed[1][0]);
    assert!(sealing::open(&session, &table.seats[1], sealed).is_some());
    assert!(sealing::open(&session, &table.seats[2], sealed).is_none());
    assert!(sealing::open(&[0; 32], &table.seats[1], sealed).is_none());
    for change in [
        |sealed: &mut SealedShare| sealed.dealer = 3,
        |sealed: &mut SealedShare| sealed.receiver = 3,
        |sealed: &mut SealedShare| sealed.encapsulated[0] ^= 1,
        |sealed: &mut SealedShare| sealed.ciphertext[0] ^= 1,
        |sealed: &mut SealedShare| sealed.ciphertext.clear(),
    ] {
        let mut changed = table.sealed[1][0].clone();
        change(&mut changed);
        assert!(sealing::open(&session, &table.seats[1], &changed).is_none());
        let sent = [changed, table.sealed[1][1].clone(), table.sealed[1][2].clone()];
        let received = Holder::receive(&table.dealt().unwrap(), &table.seats[1], 2, &sent);
        assert_eq!(received.unwrap_err(), CommitteeError::Share { dealer: 1 });
    }
}

#[test]
fn a_dealer_who_reveals_other_than_it_promised_is_named() {
    let mut table = Table::of(3, 5);
    let other = Table::of(3, 5);
    table.reveals[2] = other.reveals[2].clone();
    assert_eq!(table.dealt().unwrap_err(), CommitteeError::Promise { dealer: 3 });
}

#[test]
fn a_dealing_of_another_form_is_named_even_where_it_was_promised() {
    let other_point = Point::of(&G);
    type Change = fn(&mut Reveal, Point);
    let changes: [(Change, &str); 6] = [
        (
            |reveal, point| reveal.zero[0] = point,
            "shares of zero that are not of zero",
        ),
        (
            |reveal, _| reveal.key[0] = Point([0; 32]),
            "shares of zero in place of a secret",
        ),
        (
            |reveal, _| reveal.mask[0] = Point([0; 32]),
            "shares of zero in place of a secret",
        ),
        (|reveal, point| reveal.key.push(point), "polynomials of another degree"),
        (|reveal, _| reveal.zero.truncate(2), "polynomials of another degree"),
        (
            |reveal, _| reveal.mask[1] = Point([255; 32]),
            "commitments that are no points",
        ),
    ];
    for (change, what) in changes {
        let mut table = Table::of(2, 3);
        let reveal = &mut table.reveals[0];
        change(reveal, other_point);
        table.promises[0] = dealing::promise(&table.setup, 1, &reveal.salt, [&reveal.key, &reveal.mask, &reveal.zero]);
        assert_eq!(table.dealt().unwrap_err(), CommitteeError::Form { dealer: 1, what });
    }
}

#[test]
fn a_dealer_who_copies_another_cannot_prove_that_it_knows_what_it_dealt() {
    let mut table = Table::of(2, 3);
    let copied = &table.reveals[0];
    table.promises[1] = dealing::promise(&table.setup, 2, &copied.salt, [&copied.key, &copied.mask, &copied.zero]);
    table.reveals[0] = table.dealings[0].reveal(&table.promises).unwrap().0;
    table.reveals[1] = table.reveals[0].clone();
    assert_eq!(table.dealt().unwrap_err(), CommitteeError::Possession { dealer: 2 });
}

#[test]
fn a_member_with_a_wrong_share_of_the_product_is_named_even_where_it_proves_it() {
    let table = Table::of(3, 5);
    let dealt = table.dealt().unwrap();
    let mut holders: Vec<_> = table.setup.indices().map(|i| table.receive(i).unwrap()).collect();
    let good: Vec<_> = holders.iter().map(|holder| holder.product(&dealt).unwrap()).collect();
    let mut wrong = good.clone();
    wrong[1].value = good[0].value;
    assert_eq!(dealt.open(&wrong).unwrap_err(), CommitteeError::Product { member: 2 });
    for part in 0..3 {
        let share = &mut holders[4].share;
        let number = [&mut share.key, &mut share.mask, &mut share.zero]
            .into_iter()
            .nth(part)
            .unwrap();
        **number += Scalar::ONE;
        let mut wrong = good.clone();
        wrong[4] = holders[4].product(&dealt).unwrap();
        assert_eq!(dealt.open(&wrong).unwrap_err(), CommitteeError::Product { member: 5 });
        holders[4] = table.receive(5).unwrap();
    }
    assert_eq!(
        dealt.open(&good[1..]).unwrap_err(),
        CommitteeError::Messages { expected: 5, got: 4 }
    );
}

#[test]
fn a_member_with_a_wrong_share_of_the_key_is_named_even_where_it_proves_it() {
    let table = Table::of(2, 3);
    let dealt = table.dealt().unwrap();
    let holders: Vec<_> = table.setup.indices().map(|i| table.receive(i).unwrap()).collect();
    let products: Vec<_> = holders.iter().map(|holder| holder.product(&dealt).unwrap()).collect();
    let opened = dealt.open(&products).unwrap();
    let good: Vec<_> = holders
        .iter()
        .map(|holder| holder.key_share(&opened).unwrap())
        .collect();
    let fault = CommitteeError::KeyShare { member: 3 };
    let mut wrong = good.clone();
    wrong[2].point = good[0].point;
    assert_eq!(opened.finish(&wrong).unwrap_err(), fault);
    let mut other = table.receive(3).unwrap();
    *other.share.key += Scalar::ONE;
    wrong[2] = other.key_share(&opened).unwrap();
    assert_eq!(opened.finish(&wrong).unwrap_err(), fault);
    let key = opened.finish(&good).unwrap();
    assert_eq!(other.finish(&key).unwrap_err(), CommitteeError::OtherKey);
}

#[test]
fn shares_that_are_proved_and_of_different_keys_are_no_key() {
    let Made { mut key, members, .. } = made(2, 3);
    // A member swaps its share for another that it knows, and proves that; the others prove theirs for that record.
    let secrets = [
        *members[0].secret(),
        *members[1].secret(),
        *members[2].secret() + Scalar::ONE,
    ];
    key.shares[2] = Point::of(&(secrets[2] * h()));
    key.proofs = (1..)
        .zip(&secrets)
        .map(|(i, secret)| KeyShare::prove(&key, i, secret).unwrap())
        .collect();
    assert_eq!(key.check(), Err(CommitteeError::Inconsistent));
    // So is a key that is not the inverse of the shared secret.
    key.shares[2] = Point::of(&(*members[2].secret() * h()));
    key.public = Point::of(&G);
    let secrets = members.iter().map(|member| *member.secret());
    key.proofs = (1..)
        .zip(secrets)
        .map(|(i, secret)| KeyShare::prove(&key, i, &secret).unwrap())
        .collect();
    assert_eq!(key.check(), Err(CommitteeError::Inconsistent));
}

/// Whoever divides the opened polynomial by the shares of one factor has shares of the other, where it is a product.
#[test]
fn the_opened_shares_of_the_product_do_not_factor() {
    type Factor = fn(&Holder) -> &Zeroizing<Scalar>;
    let table = Table::of(3, 5);
    let dealt = table.dealt().unwrap();
    let holders: Vec<_> = table.setup.indices().map(|i| table.receive(i).unwrap()).collect();
    let divided = |opened: &dyn Fn(&Holder) -> Scalar, by: Factor| {
        let quotients: Vec<_> = (1..)
            .zip(&holders)
            .map(|(i, holder)| (i, opened(holder) * by(holder).invert() * G))
            .collect();
        shamir::on_one_polynomial(&quotients, table.setup.degree())
    };
    let ours = |holder: &Holder| holder.product(&dealt).unwrap().value.open().unwrap();
    let naive = |holder: &Holder| *holder.share.key * *holder.share.mask;
    let factors: [Factor; 2] = [|holder| &holder.share.key, |holder| &holder.share.mask];
    for by in factors {
        assert!(divided(&naive, by));
        assert!(!divided(&ours, by));
    }
    // And yet both are the same product at 0.
    let at_zero = |opened: &dyn Fn(&Holder) -> Scalar| {
        let shares: Vec<_> = (1..).zip(&holders).map(|(i, holder)| (i, opened(holder))).collect();
        Number::of(&shamir::number_at(&shares, 0))
    };
    assert_eq!(at_zero(&ours), at_zero(&naive));
}

#[test]
fn no_byte_of_a_ceremony_or_of_a_key_can_be_changed() {
    let Made { ceremony, key, .. } = made(2, 3);
    let bytes = borsh::to_vec(&ceremony).unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        let ceremony = borsh::from_slice::<Ceremony>(&changed);
        assert!(ceremony.is_err() || ceremony.unwrap().verify().is_err(), "byte {place}");
    }
    let bytes = borsh::to_vec(&key).unwrap();
    key.check().unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        let key = borsh::from_slice::<CommitteeKey>(&changed);
        assert!(key.is_err() || key.unwrap().check().is_err(), "byte {place}");
    }
}

#[test]
fn a_members_key_is_kept_and_is_of_its_committee_alone() {
    let (one, other) = (made(2, 3), made(2, 3));
    let member = &one.members[1];
    let kept = MemberKey::from_bytes(&one.key, 2, &member.to_bytes()).unwrap();
    assert_eq!((kept.index(), kept.committee()), (2, &one.key.id()));
    for (key, index) in [(&one.key, 1), (&other.key, 2)] {
        let refused = MemberKey::from_bytes(key, index, &member.to_bytes()).unwrap_err();
        assert_eq!(refused, CommitteeError::OtherKey);
    }
    assert!(MemberKey::from_bytes(&one.key, 4, &member.to_bytes()).is_err());
    let secret = hex::encode(*member.to_bytes());
    assert!(!format!("{member:?}").contains(&secret));
}

#[test]
fn a_seed_makes_the_same_dealing_for_the_same_committee_alone() {
    let Table { mut setup, .. } = Table::of(2, 3);
    let dealing = |setup: &Setup, dealer, seed| Dealing::of_seed(setup, dealer, &[seed; 32]).unwrap();
    let first = dealing(&setup, 1, 5);
    let others: Vec<_> = [2, 3].map(|dealer| dealing(&setup, dealer, 5).promise()).into();
    let promises = [first.promise(), others[0], others[1]];
    let (reveal, sealed) = dealing(&setup, 1, 5).reveal(&promises).unwrap();
    let again = first.reveal(&promises).unwrap();
    assert_eq!(
        (&reveal.key, &reveal.mask, &reveal.zero),
        (&again.0.key, &again.0.mask, &again.0.zero)
    );
    assert_ne!(reveal.key[0], reveal.mask[0]);
    assert_ne!(reveal.key[0], reveal.key[1]);
    // What is sealed is sealed anew, and holds the same.
    assert_ne!(sealed, again.1);
    assert!(!others.contains(&first.promise()));
    assert_ne!(dealing(&setup, 1, 6).promise(), first.promise());
    setup.epoch += 1;
    assert_ne!(dealing(&setup, 1, 5).promise(), first.promise());
}
