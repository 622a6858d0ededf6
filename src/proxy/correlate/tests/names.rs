use super::*;

#[test]
fn the_subject_pattern_is_stronger_than_the_connections_name() {
    let mut stage = Stage::with(|rules| rules.agents = vec![AgentPattern::new("agents.{agent}.in").unwrap()]);
    let (mut planner, mut writer) = (stage.agent("app-1"), stage.agent("app-2"));
    planner.subscribe("1", "agents.planner.in", Some("g"));
    writer.subscribe("1", "agents.writer.in", None);
    let sent = stage.publish(&mut planner, &Message::to("agents.writer.in", "find"));
    assert_eq!(sent.envelope().to.unwrap(), "writer");
    stage.deliver(&mut writer, "1", &sent);
    let record = stage.handoff(&mut [&mut planner, &mut writer]);
    assert_eq!((record.facts.from.clone().unwrap().as_str(), to(&record)), ("planner", "writer"));
    assert_eq!(record.facts.subject_template.as_deref(), Some("agents.{agent}.in"));
}

#[test]
fn an_agent_without_a_name_is_called_after_its_connection_for_as_long_as_it_lasts() {
    let mut stage = Stage::new();
    let mut nameless = stage.agent("");
    let names: Vec<_> =
        (0..2).map(|_| stage.publish(&mut nameless, &Message::to("t", "x")).envelope().from.unwrap()).collect();
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["conn-3f2a-1", "conn-3f2a-1"]);
}

#[test]
fn a_token_is_never_taken_for_a_name() {
    let mut stage = Stage::new();
    let mut agent = stage.agent("");
    let connect = Connect { user: "s3cr3t-token".to_owned(), ..Connect::default() };
    agent.observer.on_connect(&connect, &mut agent.batch);
    assert_eq!(stage.publish(&mut agent, &Message::to("t", "x")).envelope().from.unwrap(), "conn-3f2a-1");
}

#[test]
fn an_agent_may_say_its_name_itself() {
    let mut stage = Stage::new();
    let mut agent = stage.agent("app");
    let sent = stage.publish(&mut agent, &Message::to("t", "x").header("Wilco-From", "critic"));
    assert_eq!(sent.envelope().from.unwrap(), "critic");
}

#[test]
fn each_agent_of_a_channel_is_called_by_its_queue_group_under_any_profile() {
    for profiles in [vec![], vec![Profile::FastStream]] {
        let mut stage = Stage::with(|rules| rules.profiles = profiles.into_iter().collect());
        let (mut planner, mut newsroom) = (stage.agent("planner"), stage.agent("wilco channel newsroom"));
        for agent in ["editor", "critic"] {
            newsroom.subscribe(agent, &format!("wilco.newsroom.{agent}"), Some(agent));
        }
        let mut told = Vec::new();
        for agent in ["critic", "editor"] {
            let sent = stage.publish(&mut planner, &Message::to(&format!("wilco.newsroom.{agent}"), "x"));
            stage.deliver(&mut newsroom, agent, &sent);
            told.push(to(&stage.handoff(&mut [&mut planner, &mut newsroom])).to_owned());
        }
        assert_eq!(told, ["critic", "editor"]);
    }
}
