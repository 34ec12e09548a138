//! The rounds of the SHA-2 family (FIPS 180-4, sections 6.1.2 and 6.2.2) over whatever `add`, `add_in_order`, `ch`,
//! `maj`, `big0`, `big1`, `small0`, `small1` and `splat` mean where this is used: a vector is one word of every lane.
//! `add_in_order` is an `add` that the compiler must not regroup: it would sum a round in an order in which each round
//! waits longer for the one before, which cost a fifth of the throughput.

/// Advances `$state` (eight vectors) by the block in `$words` (sixteen, used up), with the round constants `$k`.
macro_rules! block {
    ($state:ident, $words:ident, $k:ident) => {{
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = $state;
        let (last, all_but_last) = $k.as_chunks::<16>().0.split_last().unwrap_or((&[0; 16], &[]));
        for k in all_but_last {
            block!(@sixteen schedule k $words a b c d e f g h);
        }
        block!(@sixteen keep last $words a b c d e f g h);
        for (sum, word) in $state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *sum = add(*sum, word);
        }
    }};
    (@sixteen $do:ident $k:ident $w:ident $($state:ident)*) => {
        block!(@eight $do $k $w 0 $($state)*);
        block!(@eight $do $k $w 8 $($state)*);
    };
    // The words take turns at being `a` to `h`, so that none of them has to move.
    (@eight $do:ident $k:ident $w:ident $i:literal
     $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        block!(@round $do $k $w ($i) $a $b $c $d $e $f $g $h);
        block!(@round $do $k $w ($i + 1) $h $a $b $c $d $e $f $g);
        block!(@round $do $k $w ($i + 2) $g $h $a $b $c $d $e $f);
        block!(@round $do $k $w ($i + 3) $f $g $h $a $b $c $d $e);
        block!(@round $do $k $w ($i + 4) $e $f $g $h $a $b $c $d);
        block!(@round $do $k $w ($i + 5) $d $e $f $g $h $a $b $c);
        block!(@round $do $k $w ($i + 6) $c $d $e $f $g $h $a $b);
        block!(@round $do $k $w ($i + 7) $b $c $d $e $f $g $h $a);
    };
    (@round $do:ident $k:ident $w:ident ($i:expr)
     $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        let known = add_in_order($h, add($w[$i], splat($k[$i])));
        let (choice, sum1) = (ch($e, $f, $g), big1($e));
        // The next round waits for `e`, the new `$d`, above all: so that is three steps away from the old one.
        $d = add_in_order(add_in_order(add_in_order($d, known), choice), sum1);
        let t1 = add_in_order(add_in_order(known, choice), sum1);
        $h = add_in_order(add_in_order(maj($a, $b, $c), t1), big0($a));
        block!(@$do $w ($i));
    };
    // The word of sixteen rounds later takes the place of the one just used.
    (@schedule $w:ident ($i:expr)) => {
        $w[$i] = add(
            add($w[$i], small0($w[($i + 1) % 16])),
            add($w[($i + 9) % 16], small1($w[($i + 14) % 16])),
        );
    };
    (@keep $w:ident ($i:expr)) => {};
}

pub(super) use block;
