//! Random numbers as the model wants them.

/// Evenly distributed between the two.
pub(crate) fn between((least, most): (f64, f64), dice: &mut fastrand::Rng) -> f64 {
    least + (most - least) * dice.f64()
}

/// Normally distributed around 0, with a standard deviation of 1: the sum of twelve even ones,
/// which never leaves 6 on either side.
pub(crate) fn scattered(dice: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| dice.f64()).sum::<f64>() - 6.0
}

/// A number between 0 and 1 that belongs to `place` under `seed`: the same for every publisher
/// of a run, whoever asks first, so that what differs between them is not luck.
pub(crate) fn of_place(seed: u64, place: u64) -> f64 {
    fastrand::Rng::with_seed(seed ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)).f64()
}
