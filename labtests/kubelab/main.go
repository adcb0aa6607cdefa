// kubelab is one static program that is etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy,
// kubectl or helm: the one that its name (a symlink) or else its first argument says.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	helm "helm.sh/helm/v4/pkg/cmd"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// Each entry makes its command only when it is called: the constructors register versions and feature gates in
// globals, and two of them in one process contradict each other.
var programs = map[string]func(args []string) int{
	"etcd": func(args []string) int {
		etcdmain.Main(append([]string{"etcd"}, args...))
		return 0
	},
	"kube-apiserver":          func(args []string) int { return run(apiserver.NewAPIServerCommand(), args) },
	"kube-controller-manager": func(args []string) int { return run(kcm.NewControllerManagerCommand(), args) },
	"kube-scheduler":          func(args []string) int { return run(scheduler.NewSchedulerCommand(), args) },
	"kube-proxy":              func(args []string) int { return run(proxy.NewProxyCommand(), args) },
	"kubectl": func(args []string) int {
		// Its constructor reads os.Args itself, to find plugins.
		os.Args = append([]string{"kubectl"}, args...)
		return run(kubectl.NewDefaultKubectlCommand(), args)
	},
	"helm": runHelm,
}

func run(command *cobra.Command, args []string) int {
	command.SetArgs(args)
	return cli.Run(command)
}

func runHelm(args []string) int {
	os.Args = append([]string{"helm"}, args...)
	command, err := helm.NewRootCmd(os.Stdout, args, helm.SetupLogging)
	if err != nil {
		fmt.Fprintln(os.Stderr, "helm:", err)
		return 1
	}
	command.SetArgs(args)
	if err := command.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "helm:", err)
		return 1
	}
	return 0
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	program := programs[name]
	if program == nil && len(args) > 0 {
		name, args = args[0], args[1:]
		program = programs[name]
	}
	if program == nil {
		fmt.Fprintln(os.Stderr, "usage: kubelab {etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|kubectl|helm} [flags]")
		os.Exit(2)
	}
	os.Exit(program(args))
}
