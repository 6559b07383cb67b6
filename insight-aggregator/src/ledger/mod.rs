//! The durable record of what was counted, one row a flow end and minute.
