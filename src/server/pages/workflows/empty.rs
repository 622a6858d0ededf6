use maud::{Markup, html};

use crate::server::server::Shared;

/// What a newcomer needs: how to connect an agent, with the addresses of this server.
pub(super) fn page(shared: &Shared) -> Markup {
    let http = shared.addresses.otlp_http;
    let token = if shared.guard.sessions.is_some() {
        "export OTEL_EXPORTER_OTLP_HEADERS=\"authorization=Bearer%20$WILCO_TOKEN\"\n"
    } else {
        ""
    };
    let otlp = format!("export OTEL_EXPORTER_OTLP_ENDPOINT=http://{http}\n{token}");
    let bus = shared.bus.as_deref();
    html! {
        section.welcome {
            h2 { "No workflow yet" }
            p { "This page fills by itself as soon as the first handoff is heard of." }
            ol.steps {
                @if let Some(bus) = bus {
                    li {
                        h3 { "Connect agents in any language" }
                        p { "Give them this address in place of their NATS server's. Nothing else of theirs changes." }
                        (command("bus", &format!("export NATS_URL={bus}\n")))
                    }
                }
                li {
                    h3 { "Send spans of a channel, a proxy, or anything that speaks OTLP" }
                    p {
                        "Over HTTP" @if let Some(grpc) = shared.addresses.otlp_grpc { ", or over gRPC at " code { (grpc) } } "."
                    }
                    (command("otlp", &otlp))
                    @if bus.is_none() {
                        p { "Agents that cannot be changed connect to the proxy in place of their NATS server:" }
                        (command("proxy", &format!("wilco proxy --upstream nats://127.0.0.1:4222 --otlp http://{http}\n")))
                    }
                }
                li {
                    h3 { "Or look at a newsroom that goes wrong in six ways" }
                    (command("demo", &format!("wilco demo --otlp http://{http}\n")))
                }
            }
        }
    }
}

/// A command to copy.
fn command(id: &str, text: &str) -> Markup {
    html! {
        div.command {
            pre id={ "command-" (id) } { (text.trim_end()) }
            button.copy type="button" hidden data-copy={ "command-" (id) } { "Copy" }
        }
    }
}
