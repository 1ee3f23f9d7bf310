//! Every charset of the servers, over the whole repertoire that it shares with Unicode.
