//! Who made whom.

use std::collections::{HashMap, HashSet};

use crate::kubernetes::object::{ApiKind, Meta, Owner, Text};

/// Steps from a pod to what it is part of; a Deployment's pod has two, an operator's rarely more than four.
const MAX_STEPS: usize = 8;
/// The label that a ReplicaSet's pods and its name's end have of their Deployment.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// What a pod is part of: what somebody created, and what keeps its name while pods come and go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadName {
    /// Its kind; [`ApiKind::Pod`] where nothing made the pod.
    pub kind: ApiKind,
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
}

/// The controller of each object that can have made another, also of those that are gone.
#[derive(Debug, Default)]
pub(super) struct Chains {
    controllers: HashMap<Text, Option<Owner>>,
}

impl Chains {
    /// Takes an object that may be the controller of others.
    pub(super) fn note(&mut self, meta: &Meta) {
        let uid = Text::clone(&meta.uid);
        self.controllers.insert(uid, meta.controller.clone());
    }

    /// Takes one that is gone, unless it is known.
    pub(super) fn note_gone(&mut self, uid: Text, controller: Option<Owner>) {
        self.controllers.entry(uid).or_insert(controller);
    }

    /// Each with its own controller.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Text, Option<&Owner>)> {
        let all = self.controllers.iter();
        all.map(|(uid, controller)| (uid, controller.as_ref()))
    }

    /// The end of a pod's chain of controllers. A static pod is made by its node, which is no workload.
    pub(super) fn workload(&self, pod: &Meta) -> WorkloadName {
        let mut top: Option<&Owner> = None;
        let mut next = pod.controller.as_ref();
        for _ in 0..MAX_STEPS {
            let Some(owner) = next.filter(|owner| owner.kind != ApiKind::Node) else {
                break;
            };
            top = Some(owner);
            match self.controllers.get(&owner.uid) {
                Some(controller) => next = controller.as_ref(),
                None => {
                    if let Some(deployment) = deployment_of(owner, pod) {
                        return deployment;
                    }
                    break;
                }
            }
        }
        let (kind, name) = top.map_or((&ApiKind::Pod, &pod.name), |top| (&top.kind, &top.name));
        WorkloadName {
            kind: kind.clone(),
            namespace: Text::clone(&pod.namespace),
            name: Text::clone(name),
        }
    }

    /// Controllers of an object, from the nearest on, as far as they are known.
    pub(super) fn controller(&self, uid: &str) -> Option<&Owner> {
        self.controllers.get(uid)?.as_ref()
    }

    /// Forgets all that is not in use, nor on the way up from what is.
    pub(super) fn forget(&mut self, in_use: impl Iterator<Item = Text>) {
        let mut kept: HashSet<Text> = HashSet::new();
        for uid in in_use {
            let mut next = Some(uid);
            while let Some(uid) = next {
                let above = self.controller(&uid).map(|owner| Text::clone(&owner.uid));
                next = above.filter(|_| kept.insert(uid));
            }
        }
        self.controllers.retain(|uid, _| kept.contains(uid));
    }
}

/// The Deployment of a ReplicaSet that is not known (it was deleted with the last of its pods, or may not be read): its name is the Deployment's and the
/// hash that its pods are labelled with.
fn deployment_of(owner: &Owner, pod: &Meta) -> Option<WorkloadName> {
    if owner.kind != ApiKind::ReplicaSet {
        return None;
    }
    let (_, hash) = pod.labels.iter().find(|(key, _)| &**key == TEMPLATE_HASH)?;
    let name = owner.name.strip_suffix(&**hash)?.strip_suffix('-')?;
    Some(WorkloadName {
        kind: ApiKind::Deployment,
        namespace: Text::clone(&pod.namespace),
        name: Text::from(name),
    })
}
