//! Between the phases: the circuit's polynomials at tau, which follow from the powers without anybody's secret. Whoever
//! verifies does not compute them again but compares random sums of them.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{CurveGroup, scalar_mul::BatchMulPreprocessing};
use ark_ff::{One as _, Zero as _};
use ark_poly::{EvaluationDomain as _, Radix2EvaluationDomain};
use ark_relations::gr1cs::{Matrix, SynthesisError};
use rayon::prelude::*;

use super::{
    fault::{CeremonyError, Fault},
    powers::Powers,
    share::{Weights, sum_g1, sum_g2},
    tape::{ReadError, Sink, Source},
};
use crate::Relation;

/// For each variable, the constant 1 first, then the public inputs, then the witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queries {
    /// A(tau).
    pub(super) a: Vec<G1Affine>,
    /// B(tau).
    pub(super) b_g1: Vec<G1Affine>,
    pub(super) b_g2: Vec<G2Affine>,
    /// beta A(tau) + alpha B(tau) + C(tau).
    pub(super) k: Vec<G1Affine>,
}

impl Queries {
    /// Evaluates the circuit's polynomials, as LibsnarkReduction interpolates them: constraints, then one more for each
    /// public input, which A alone has.
    pub(super) fn of(powers: &Powers, relation: &Relation) -> Result<Self, SynthesisError> {
        let domain = relation.domain()?;
        let size = powers.size();
        let [a, b, c] = relation.matrices();
        let tau = lagrange::<G1Projective>(&domain, &powers.tau_g1[..size]);
        let beta = lagrange::<G1Projective>(&domain, &powers.beta_g1);
        let alpha = lagrange::<G1Projective>(&domain, &powers.alpha_g1);
        let bound = bindings(relation);
        let count = relation.variables();
        let (mut in_a, mut in_b, mut in_k) = (zeros(count), zeros(count), zeros(count));
        spread(&tau, a.iter().chain(&bound), &mut in_a);
        spread(&tau, b, &mut in_b);
        spread(&beta, a.iter().chain(&bound), &mut in_k);
        spread(&alpha, b, &mut in_k);
        spread(&tau, c, &mut in_k);
        let mut in_b_g2 = zeros(count);
        spread(&lagrange::<G2Projective>(&domain, &powers.tau_g2), b, &mut in_b_g2);
        Ok(Self {
            a: G1Projective::normalize_batch(&in_a),
            b_g1: G1Projective::normalize_batch(&in_b),
            b_g2: G2Projective::normalize_batch(&in_b_g2),
            k: G1Projective::normalize_batch(&in_k),
        })
    }

    /// Whether these are the circuit's, at the powers' tau.
    pub(super) fn check(&self, powers: &Powers, relation: &Relation, weights: &mut Weights) -> Result<(), Fault> {
        let mismatch = |what| move |_: SynthesisError| Fault::Inconsistent(what);
        let domain = relation.domain().map_err(mismatch("the circuit's size"))?;
        let [a, b, c] = relation.matrices();
        let drawn = weights.draw(relation.variables());
        let bound = bindings(relation);
        let in_a = coefficients(&domain, a.iter().chain(&bound), &drawn);
        let in_b = coefficients(&domain, b, &drawn);
        let in_c = coefficients(&domain, c, &drawn);
        let at_tau = |of: &[Fr]| sum_g1(&powers.tau_g1[..powers.size()], of);
        let require = |holds: bool, what| if holds { Ok(()) } else { Err(Fault::Inconsistent(what)) };
        require(sum_g1(&self.a, &drawn) == at_tau(&in_a), "the polynomials A")?;
        require(
            sum_g1(&self.b_g1, &drawn) == at_tau(&in_b),
            "the polynomials B in the first group",
        )?;
        require(
            sum_g2(&self.b_g2, &drawn) == sum_g2(&powers.tau_g2, &in_b),
            "the polynomials B in the second group",
        )?;
        let k = sum_g1(&powers.beta_g1, &in_a) + sum_g1(&powers.alpha_g1, &in_b) + at_tau(&in_c);
        require(
            sum_g1(&self.k, &drawn) == k.into_affine(),
            "the sums of the polynomials",
        )
    }

    pub(super) fn read(source: &mut Source<'_>, relation: &Relation) -> Result<Self, ReadError> {
        let count = relation.variables();
        Ok(Self {
            a: source.many_g1(count)?,
            b_g1: source.many_g1(count)?,
            b_g2: source.many_g2(count)?,
            k: source.many_g1(count)?,
        })
    }

    pub(super) fn write(&self, sink: &mut Sink<'_>) -> Result<(), CeremonyError> {
        sink.many_g1(&self.a)?;
        sink.many_g1(&self.b_g1)?;
        sink.many_g2(&self.b_g2)?;
        sink.many_g1(&self.k)
    }
}

/// tau^i (tau^N - 1), for i below N - 1: what a multiple of the vanishing polynomial is made of.
pub(super) fn vanishing(powers: &Powers) -> Vec<G1Affine> {
    let size = powers.size();
    let low = &powers.tau_g1[..size - 1];
    let differences: Vec<_> = powers.tau_g1[size..]
        .iter()
        .zip(low)
        .map(|(high, low)| *high - low)
        .collect();
    G1Projective::normalize_batch(&differences)
}

/// The constraints that bind the public inputs, as rows of A behind the circuit's own.
fn bindings(relation: &Relation) -> Matrix<Fr> {
    (0..relation.instance()).map(|input| vec![(Fr::one(), input)]).collect()
}

fn zeros<G: CurveGroup>(count: usize) -> Vec<G> {
    vec![G::zero(); count]
}

/// The Lagrange polynomials at tau, from the powers of tau: an inverse Fourier transform in the group.
fn lagrange<G: CurveGroup<ScalarField = Fr>>(
    domain: &Radix2EvaluationDomain<Fr>,
    powers: &[G::Affine],
) -> Vec<G::Affine> {
    let powers: Vec<G> = powers.iter().map(|point| (*point).into()).collect();
    G::normalize_batch(&domain.ifft(&powers))
}

/// Adds each row's basis point, by the row's coefficients, to the variables that these are of.
fn spread<'a, G: CurveGroup<ScalarField = Fr>>(
    basis: &[G::Affine],
    rows: impl IntoIterator<Item = &'a Vec<(Fr, usize)>>,
    into: &mut [G],
) {
    let rows: Vec<_> = basis.iter().zip(rows).collect();
    let products: Vec<Vec<G::Affine>> = rows.par_iter().map(|(point, row)| products(**point, row)).collect();
    for ((_, row), products) in rows.iter().zip(products) {
        for ((_, at), product) in row.iter().zip(products) {
            into[*at] += product;
        }
    }
}

/// A point by each of a row's coefficients; where there are many, from a table of its multiples.
fn products<G: ark_ec::AffineRepr<ScalarField = Fr>>(point: G, row: &[(Fr, usize)]) -> Vec<G> {
    const WORTH_A_TABLE: usize = 16;
    if row.len() < WORTH_A_TABLE {
        let multiply = |(by, _): &(Fr, usize)| if by.is_one() { point.into_group() } else { point * by };
        return G::Group::normalize_batch(&row.iter().map(multiply).collect::<Vec<_>>());
    }
    let coefficients: Vec<Fr> = row.iter().map(|(by, _)| *by).collect();
    BatchMulPreprocessing::new(point.into_group(), row.len()).batch_mul(&coefficients)
}

/// The coefficients of the weighted sum of all variables' polynomials, which the rows have the values of.
fn coefficients<'a>(
    domain: &Radix2EvaluationDomain<Fr>,
    rows: impl IntoIterator<Item = &'a Vec<(Fr, usize)>>,
    weights: &[Fr],
) -> Vec<Fr> {
    let mut values: Vec<Fr> = rows
        .into_iter()
        .map(|row| row.iter().map(|(by, at)| weights[*at] * by).sum())
        .collect();
    values.resize(domain.size(), Fr::zero());
    domain.ifft(&values)
}
