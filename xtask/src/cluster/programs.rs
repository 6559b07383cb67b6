//! Kubernetes and CoreDNS, built here from published modules: once, into a cache that all checkouts share.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::digest;
use crate::cargo;
use crate::project::Project;

/// A Go program whose module is a folder beside this file.
struct Program {
    /// The folder, and what the program is called
    name: &'static str,
    /// The module whose version it carries
    module: &'static str,
    /// What it is good for, and how long it takes
    note: &'static str,
    /// Whether it must run in an image without a C library
    alone: bool,
}

const KUBERNETES: Program = Program {
    name: "kubernetes",
    module: "k8s.io/kubernetes",
    note: "the first time this takes five minutes on two processors",
    alone: false,
};
const COREDNS: Program = Program {
    name: "coredns",
    module: "github.com/coredns/coredns",
    note: "the first time this takes two minutes",
    alone: true,
};

/// What the Kubernetes program can be called.
const COMPONENTS: [&str; 6] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubectl",
];

/// The built programs.
pub(crate) struct Programs {
    /// The folder with one file a component
    pub(crate) kubernetes: PathBuf,
    /// The folder of CoreDNS
    pub(crate) coredns: PathBuf,
}

impl Programs {
    /// Finds them in the cache, or builds them.
    pub(crate) fn obtain(project: &Project) -> Result<Self> {
        let kubernetes = KUBERNETES.obtain(project)?;
        for component in COMPONENTS {
            let link = kubernetes.join(component);
            if !link.exists() {
                symlink(KUBERNETES.name, &link)
                    .with_context(|| format!("make {}", link.display()))?;
            }
        }
        Ok(Self {
            kubernetes,
            coredns: COREDNS.obtain(project)?,
        })
    }
}

impl Program {
    fn obtain(&self, project: &Project) -> Result<PathBuf> {
        let source = project.root.join("xtask/src/cluster").join(self.name);
        let file = |name| source.join(name);
        let key = digest::of_files(&[&file("go.mod"), &file("go.sum"), &file("main.go")])?;
        let folder = cache()?.join(format!("{}-{key}", self.name));
        let program = folder.join(self.name);
        if program.is_file() {
            return Ok(folder);
        }
        println!("building {} with Go; {}", self.name, self.note);
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        // Renamed at the end, so that what is there is whole.
        let unfinished = folder.join(format!("unfinished-{}", std::process::id()));
        let modules = std::fs::read_to_string(file("go.mod")).context("read go.mod")?;
        let mut go = cargo::tool(&source, "go");
        go.args(["build", "-trimpath", "-buildvcs=false", "-ldflags"])
            .arg(self.linker_flags(&modules)?)
            .arg("-o")
            .arg(&unfinished)
            .arg(".");
        if self.alone {
            go.env("CGO_ENABLED", "0");
        }
        cargo::run(&mut go).with_context(|| format!("build {}", self.name))?;
        std::fs::rename(&unfinished, &program)
            .with_context(|| format!("put {} in its place", program.display()))?;
        Ok(folder)
    }

    /// Components say their version, and refuse each other's by it.
    fn linker_flags(&self, modules: &str) -> Result<String> {
        let version = required(modules, self.module)?;
        let mut numbers = version.trim_start_matches('v').split('.');
        let mut next = || numbers.next().context("a version has numbers");
        let (major, minor) = (next()?, next()?);
        let at = "k8s.io/component-base/version";
        Ok(format!(
            "-s -w -X {at}.gitVersion={version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}"
        ))
    }
}

/// The version of a module that a go.mod requires.
fn required<'a>(modules: &'a str, module: &str) -> Result<&'a str> {
    modules
        .lines()
        .filter_map(|line| {
            line.trim()
                .trim_start_matches("require ")
                .strip_prefix(module)
        })
        .find_map(|rest| rest.strip_prefix(' ')?.split(' ').next())
        .with_context(|| format!("go.mod does not require {module}"))
}

/// Outside of any checkout: a build takes minutes and its result depends on nothing here but three files.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME says where a cache may be")?;
    ensure!(base.is_absolute(), "{} is not absolute", base.display());
    Ok(base.join("insight"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULES: &str = "module m\n\nrequire k8s.io/kubernetes v1.36.3\n\nrequire (\n\
        \tk8s.io/kubernetes-more v9.9.9\n\tcel.dev/expr v0.25.1 // indirect\n)\n";

    #[test]
    fn the_version_is_the_required_one() {
        assert_eq!(required(MODULES, "k8s.io/kubernetes").unwrap(), "v1.36.3");
        assert_eq!(required(MODULES, "cel.dev/expr").unwrap(), "v0.25.1");
        assert!(required(MODULES, "k8s.io").is_err());
        let flags = KUBERNETES.linker_flags(MODULES).unwrap();
        assert!(flags.ends_with("gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"));
    }

    #[test]
    fn the_modules_beside_us_require_what_we_build() {
        let (kubernetes, coredns) = (
            include_str!("kubernetes/go.mod"),
            include_str!("coredns/go.mod"),
        );
        assert!(required(kubernetes, KUBERNETES.module).is_ok());
        assert!(required(coredns, COREDNS.module).is_ok());
    }
}
