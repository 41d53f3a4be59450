//! The calls that look at the machine: why files came from where they came from, peers, settings.

use super::*;

async fn explain(
    served: &Served,
    job_id: &str,
    remote_url: &str,
) -> Result<v1::ExplainFilesResponse, tonic::Status> {
    let request = v1::ExplainFilesRequest {
        job_id: job_id.to_owned(),
        remote_url: remote_url.to_owned(),
        ..Default::default()
    };
    Ok(served.daemon().await.explain_files(request).await?.into_inner())
}

fn names(file: &v1::FileExplanation) -> Vec<&str> {
    file.decisions.iter().map(|decision| decision.name.as_str()).collect()
}

/// A job that runs, with the file "a", and its id.
async fn running(served: &Served, act: Act, flags: u32) -> String {
    let mut jobs = served.jobs().await;
    let job_id = create(&mut jobs, "one").await;
    let properties = v1::JobProperties { peer_caching_flags: Some(flags), ..Default::default() };
    let request = v1::UpdateJobRequest { job_id: job_id.clone(), properties: Some(properties) };
    jobs.update_job(request).await.unwrap();
    let request = v1::AddFilesRequest { job_id: job_id.clone(), files: vec![served.file("a")] };
    jobs.add_files(request).await.unwrap();
    let before = explain(served, &job_id, "").await.unwrap();
    assert!(before.files[0].decisions.is_empty() && !before.files[0].transferred, "{before:?}");
    served.house.script.act(&url("a"), act);
    jobs.resume_job(v1::ResumeJobRequest { job_id: job_id.clone() }).await.unwrap();
    job_id
}

#[tokio::test]
async fn a_file_is_explained_while_it_runs_when_it_has_arrived_and_after_its_job_has_ended() {
    let served = serve().await;
    let job_id = running(&served, Act::Bring { bytes: 9, after: Duration::ZERO }, 0).await;
    let job = job_id.parse().unwrap();
    served.house.wait_for(job, dray_jobs::JobState::Transferred).await;
    for is_ended in [false, true] {
        if is_ended {
            let request = v1::CompleteJobRequest { job_id: job_id.clone() };
            served.jobs().await.complete_job(request).await.unwrap();
            assert!(served.house.found(job).await.is_err());
        }
        for (job_id, remote_url) in
            [(job_id.as_str(), ""), ("", url("a").as_str()), ("", "http://host/a?key=1")]
        {
            let explained = explain(&served, job_id, remote_url).await.unwrap();
            let file = &explained.files[0];
            assert_eq!((explained.files.len(), names(file), file.transferred), (1, vec!["peers-off"], true));
            let [source] = file.sources.as_slice() else { panic!("{file:?}") };
            assert_eq!(
                (source.kind(), source.name.as_str(), source.bytes),
                (v1::SourceKind::Origin, "host", 9)
            );
            assert_eq!(explained.machine[0].name, "mode");
            assert!(explained.machine[0].against && !explained.machine[0].hint.is_empty());
        }
    }
    assert!(explain(&served, "", "http://host/other").await.unwrap().files.is_empty());
}

#[tokio::test]
async fn a_job_that_keeps_off_peers_is_told_so_while_it_runs() {
    let served = serve().await;
    let job_id = running(&served, Act::Half { bytes: 10 }, 4).await;
    let explained = loop {
        let explained = explain(&served, &job_id, "").await.unwrap();
        if !explained.files[0].decisions.is_empty() {
            break explained;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let file = &explained.files[0];
    assert_eq!((names(file), file.transferred), (vec!["peers-declined"], false));
    assert!(file.decisions[0].against && file.decisions[0].hint.contains("--peer-caching"), "{file:?}");
    let by_url = explain(&served, "", &url("a")).await.unwrap();
    assert_eq!(by_url.files.len(), 1, "{by_url:?}");
}

#[tokio::test]
async fn what_is_asked_wrongly_or_is_not_there_is_refused() {
    let served = serve().await;
    let invalid = ("E_INVALIDARG".to_owned(), tonic::Code::InvalidArgument);
    assert_eq!(detail(explain(&served, "", "").await), invalid);
    assert_eq!(detail(explain(&served, "x", "http://host/a").await), invalid);
    let nothing = uuid::Uuid::nil().to_string();
    assert_eq!(detail(explain(&served, &nothing, "").await).0, "BG_E_NOT_FOUND");
}

#[tokio::test]
async fn peers_that_are_off_are_told_with_the_reason() {
    let served = serve().await;
    let mut daemon = served.daemon().await;
    let peers = daemon.list_peers(v1::ListPeersRequest {}).await.unwrap().into_inner();
    assert!(peers.peers.is_empty() && peers.why_off.contains("the mode is off"), "{peers:?}");
    assert!(daemon.get_configuration(v1::GetConfigurationRequest {}).await.is_ok());
    let status = daemon.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    let swarm = status.swarm.unwrap();
    assert_eq!((swarm.mode(), swarm.active), (v1::DownloadMode::Off, false));
}
