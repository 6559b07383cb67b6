//! Pure flow logic.
