//! Package `dray.v1`, generated from `proto/dray/v1`. The protos hold the documentation.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]

tonic::include_proto!("dray.v1");
