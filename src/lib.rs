//! slidegrid
