using BenchmarkDotNet.Running;
using Garden.Benchmarks;

// --own-process is this program's, everything else is BenchmarkDotNet's (--filter, --list, --exporters, …).
const string ownProcess = "--own-process";
BenchmarkSwitcher
    .FromAssembly(typeof(BenchmarkConfig).Assembly)
    .Run([.. args.Where(static argument => argument != ownProcess)], new BenchmarkConfig(args.Contains(ownProcess)));
