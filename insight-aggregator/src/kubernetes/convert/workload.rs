//! What makes pods.

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec, ReplicationController};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::{count, meta, selector};
use crate::kubernetes::object::{ApiKind, Body, Object, Selector, Text, Texts, Workload};

/// What is kept of a Deployment.
pub fn deployment(of: &apps::Deployment, texts: &mut Texts) -> Object {
    let spec = &of.spec;
    let status = of.status.as_ref();
    let pods = Pods {
        replicas: Some(spec.replicas.unwrap_or(1)),
        ready: status.and_then(|status| status.ready_replicas),
        selector: labels(Some(&spec.selector), texts),
        template: Some(&spec.template),
    };
    pods.workload(&ApiKind::Deployment, &of.metadata, texts)
}

/// What is kept of a ReplicaSet.
pub fn replica_set(of: &apps::ReplicaSet, texts: &mut Texts) -> Object {
    let spec = &of.spec;
    let status = of.status.as_ref();
    let pods = Pods {
        replicas: Some(spec.replicas.unwrap_or(1)),
        ready: status.and_then(|status| status.ready_replicas),
        selector: labels(Some(&spec.selector), texts),
        template: spec.template.as_ref(),
    };
    pods.workload(&ApiKind::ReplicaSet, &of.metadata, texts)
}

/// What is kept of a StatefulSet.
pub fn stateful_set(of: &apps::StatefulSet, texts: &mut Texts) -> Object {
    let spec = &of.spec;
    let status = of.status.as_ref();
    let pods = Pods {
        replicas: Some(spec.replicas.unwrap_or(1)),
        ready: status.and_then(|status| status.ready_replicas),
        selector: labels(Some(&spec.selector), texts),
        template: Some(&spec.template),
    };
    pods.workload(&ApiKind::StatefulSet, &of.metadata, texts)
}

/// What is kept of a DaemonSet.
pub fn daemon_set(of: &apps::DaemonSet, texts: &mut Texts) -> Object {
    let spec = &of.spec;
    let status = of.status.as_ref();
    let pods = Pods {
        replicas: status.map(|status| status.desired_number_scheduled),
        ready: status.map(|status| status.number_ready),
        selector: labels(Some(&spec.selector), texts),
        template: Some(&spec.template),
    };
    pods.workload(&ApiKind::DaemonSet, &of.metadata, texts)
}

/// What is kept of a Job. One that has ended wants no pods.
pub fn job(of: &batch::Job, texts: &mut Texts) -> Object {
    let spec = of.spec.as_ref();
    let status = of.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let is_over = conditions
        .into_iter()
        .flatten()
        .any(|one| matches!(one.type_.as_str(), "Complete" | "Failed") && one.status == "True");
    let pods = Pods {
        replicas: spec
            .filter(|_| !is_over)
            .map(|spec| spec.parallelism.unwrap_or(1)),
        ready: status.and_then(|status| status.ready),
        selector: labels(spec.and_then(|spec| spec.selector.as_ref()), texts),
        template: spec.map(|spec| &spec.template),
    };
    pods.workload(&ApiKind::Job, &of.metadata, texts)
}

/// What is kept of a CronJob.
pub fn cron_job(of: &batch::CronJob, texts: &mut Texts) -> Object {
    let spec = &of.spec;
    let template = spec.job_template.spec.as_ref();
    let pods = Pods {
        replicas: None,
        ready: None,
        selector: None,
        template: template.map(|job| &job.template),
    };
    pods.workload(&ApiKind::CronJob, &of.metadata, texts)
}

/// What is kept of a ReplicationController.
pub fn replication_controller(of: &ReplicationController, texts: &mut Texts) -> Object {
    let spec = of.spec.as_ref();
    let status = of.status.as_ref();
    let template = spec.and_then(|spec| spec.template.as_ref());
    let own_pods = spec.and_then(|spec| spec.selector.as_ref());
    // Without a selector it has its template's labels.
    let template_labels = template.and_then(|template| template.metadata.as_ref()?.labels.as_ref());
    let pods = Pods {
        replicas: spec.map(|spec| spec.replicas.unwrap_or(1)),
        ready: status.and_then(|status| status.ready_replicas),
        selector: selector::pairs(own_pods.or(template_labels), texts),
        template,
    };
    pods.workload(&ApiKind::ReplicationController, &of.metadata, texts)
}

/// What the kinds have in common.
struct Pods<'o> {
    replicas: Option<i32>,
    ready: Option<i32>,
    selector: Selector,
    template: Option<&'o PodTemplateSpec>,
}

impl Pods<'_> {
    fn workload(self, kind: &ApiKind, of: &ObjectMeta, texts: &mut Texts) -> Object {
        let spec = self.template.and_then(|template| template.spec.as_ref());
        let workload = Workload {
            replicas: count(self.replicas),
            ready: count(self.ready),
            selector: self.selector,
            images: spec.map_or_else(Box::default, |spec| images(spec, texts)),
            generation: of.generation.unwrap_or(0),
        };
        Object {
            meta: meta(kind, of, texts),
            body: Body::Workload(Box::new(workload)),
        }
    }
}

fn labels(of: Option<&LabelSelector>, texts: &mut Texts) -> Selector {
    selector::selector(of, texts)
}

fn images(spec: &PodSpec, texts: &mut Texts) -> Box<[Text]> {
    let init = spec.init_containers.iter().flatten();
    init.chain(&spec.containers)
        .filter_map(|container| container.image.as_deref())
        .map(|image| texts.intern(image))
        .collect()
}
