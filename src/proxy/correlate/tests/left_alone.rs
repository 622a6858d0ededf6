use super::*;

#[test]
fn the_servers_own_subjects_cost_nothing_and_get_nothing() {
    let mut stage = Stage::new();
    let mut a = stage.agent("a");
    for subject in ["$JS.API.STREAM.INFO.X", "$SYS.REQ", "$SRV.PING", "$KV.b.k", "$O.b.C.1"] {
        let (sent, skipped) = stage.try_publish(&mut a, &Message::to(subject, "x").reply("_INBOX.x.1"));
        assert_eq!((sent.block, skipped), (None, Some(Skipped::Untraced)), "{subject}");
        stage.deliver(&mut a, "1", &Message::to(subject, "x"));
    }
    stage.deliver(&mut a, "1", &Message::to("_INBOX.x.1", r#"{"stream":"X","seq":1}"#));
    for status in [100, 404, 408, 409] {
        stage.deliver(&mut a, "1", &Message::to("_INBOX.x.1", "").status(status));
    }
    assert!(stage.settle(&mut [&mut a]).is_empty());
    assert_eq!(stage.publish(&mut a, &Message::to("t", "x")).envelope().parent, None);
}

#[test]
fn hostile_bytes_anywhere_are_data() {
    let mut stage = Stage::with(|rules| {
        rules.profiles = Profile::ALL.into_iter().collect();
        rules.workflow_path = JsonPath::new("a.b").ok();
        rules.intent_path = JsonPath::new("a").ok();
        rules.readback_path = JsonPath::new("a").ok();
        rules.agents = vec![AgentPattern::new("{agent}.>").unwrap()];
    });
    let mut agents = ["a", "b"].map(|name| stage.agent(name));
    let mut random = fastrand::Rng::with_seed(7);
    let pieces: [&[u8]; 14] = [
        b"",
        b".",
        b"$JS.ACK.",
        b"_INBOX.",
        b"agents.prompt.a.b.c",
        b"agents.hb.a.b.c",
        b"\xff\xfe",
        b"NATS/1.0\r\n",
        b"Wilco: 1;id=",
        b"traceparent: 00-",
        b"\r\n",
        b"{\"a\":",
        b"019ca8d7-3636-78c7-9041-aadd07892eb8",
        b"+ACK",
    ];
    for _ in 0..20_000 {
        let mut bytes =
            || (0..random.usize(..6)).flat_map(|_| pieces[random.usize(..pieces.len())].to_vec()).collect::<Vec<u8>>();
        let (sid, subject, reply, block, payload) = (bytes(), bytes(), bytes(), bytes(), bytes());
        let agent = &mut agents[random.usize(..2)];
        let (reply, headers) = (random.bool().then_some(&*reply), random.bool().then(|| HeaderBlock::new(&block)));
        let payload_len = payload.len() as u64;
        stage.now = stage.now + Duration::from_millis(random.u64(..200));
        match random.u8(..4) {
            0 => agent.observer.on_subscribe(&sid, &subject, reply, &mut agent.batch),
            1 => agent.observer.on_unsubscribe(&sid, random.bool().then_some(1)),
            2 => {
                let hash = agent.observer.wants_hash_up(&subject).then(|| ContentHash::of(&payload));
                let message =
                    Published { subject: &subject, reply, headers, payload: Some(&payload), size: payload_len, hash };
                let _ = agent.observer.on_publish(&message, random.bool(), stage.now, &mut agent.batch);
            }
            _ => {
                let message = Delivered {
                    sid: &sid,
                    subject: &subject,
                    reply,
                    headers,
                    payload: Some(&payload),
                    size: payload_len,
                };
                agent.observer.on_delivery(&message, stage.now, &mut agent.batch);
            }
        }
        if random.u8(..16) == 0 {
            let [a, b] = &mut agents;
            stage.ship(&mut [a, b]);
            stage.records();
        }
    }
    let [a, b] = &mut agents;
    stage.settle(&mut [a, b]);
    assert_eq!(stage.ledger.open_count(), 0);
}
