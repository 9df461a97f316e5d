package tools_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// TestCompose reads compose.yaml as `docker compose config` does: by the same
// loader, which holds it to the Compose specification.
func TestCompose(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../compose.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range project.Services {
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: read_only %v, cap_drop %q, security_opt %q", name, service.ReadOnly, service.CapDrop, service.SecurityOpt)
		}
		// podium's is the image's.
		if name != "podium" && service.HealthCheck == nil {
			t.Errorf("%s has no healthcheck", name)
		}
		for other, needed := range service.DependsOn {
			if needed.Condition != types.ServiceConditionHealthy {
				t.Errorf("%s does not wait until %s is healthy", name, other)
			}
		}
		for key, value := range service.Environment {
			// podium and PostgreSQL read a NAME_FILE.
			if strings.HasSuffix(key, "_FILE") && !slices.ContainsFunc(service.Secrets, func(s types.ServiceSecretConfig) bool {
				return "/run/secrets/"+s.Source == *value
			}) {
				t.Errorf("%s: %s=%s is none of its secrets", name, key, *value)
			}
			for _, word := range []string{"TOKEN", "SECRET", "PASSWORD", "DATABASE_URL"} {
				if strings.Contains(key, word) && !strings.HasSuffix(key, "_FILE") {
					t.Errorf("%s: %s is a secret that comes by the environment", name, key)
				}
			}
		}
		for _, volume := range service.Volumes {
			if _, err := os.Stat(volume.Source); volume.Type == types.VolumeTypeBind && err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
		}
	}
	podium := project.Services["podium"]
	if podium.GetScale() != 2 || len(podium.Ports) != 0 {
		t.Errorf("podium has %d replicas and the ports %v, want two that only the proxy reaches", podium.GetScale(), podium.Ports)
	}
}

// TestKubernetes reads deploy/kubernetes.yaml into Kubernetes's own types:
// a misspelt or misplaced field is an error.
func TestKubernetes(t *testing.T) {
	text, err := os.ReadFile("../deploy/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var deployment apps.Deployment
	var service core.Service
	var budget policy.PodDisruptionBudget
	into := map[string]any{"apps/v1 Deployment": &deployment, "v1 Service": &service, "policy/v1 PodDisruptionBudget": &budget}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &kind); err != nil {
			t.Fatal(err)
		}
		object := into[kind.APIVersion+" "+kind.Kind]
		if object == nil {
			t.Fatalf("a document is a %+v", kind)
		}
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			t.Errorf("%s: %v", kind.Kind, err)
		}
	}
	pod := deployment.Spec.Template
	for what, selector := range map[string]map[string]string{
		"Deployment": deployment.Spec.Selector.MatchLabels, "Service": service.Spec.Selector, "PodDisruptionBudget": budget.Spec.Selector.MatchLabels,
	} {
		for key, value := range selector {
			if pod.Labels[key] != value {
				t.Errorf("the %s selects %s=%s, which the pods are not", what, key, value)
			}
		}
	}
	podium := pod.Spec.Containers[0]
	var ports []string
	for _, p := range podium.Ports {
		ports = append(ports, p.Name)
	}
	for what, probe := range map[string]*core.Probe{"startup": podium.StartupProbe, "liveness": podium.LivenessProbe, "readiness": podium.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || !slices.Contains(ports, probe.HTTPGet.Port.StrVal) {
			t.Errorf("the %s probe does not ask a port of the container's", what)
		}
	}
	if !slices.Contains(ports, service.Spec.Ports[0].TargetPort.StrVal) {
		t.Errorf("the service leads to no port of the container's")
	}
	if c := podium.SecurityContext; !*c.ReadOnlyRootFilesystem || *c.AllowPrivilegeEscalation || !slices.Equal(c.Capabilities.Drop, []core.Capability{"ALL"}) || !*pod.Spec.SecurityContext.RunAsNonRoot {
		t.Errorf("podium's rights are %v in %v", c, pod.Spec.SecurityContext)
	}
}
