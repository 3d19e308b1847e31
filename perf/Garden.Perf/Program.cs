using System.CommandLine;
using Garden.Perf;
using Garden.Perf.Budgets;
using Garden.Perf.Doctor;
using Garden.Perf.Engine;
using Garden.Perf.Experts;
using Garden.Perf.Fabric;
using Garden.Perf.Generators;
using Garden.Perf.Gpu;
using Garden.Perf.Kv;
using Garden.Perf.Soak;
using Garden.Perf.Weights;
using Garden.Perf.Weights.Update;

var json = new Option<bool>("--json") { Description = "One JSON object a row.", Recursive = true };
var only = new Option<string?>("--only") { Description = "Run only the scenarios whose name contains this." };
var engine = new Command("engine", "The engine's own costs: expansion, posting, latency, loopback, allocations, garbage collection, idling.") { only };
engine.SetAction(async (parse, _) =>
{
    var report = new Report(parse.GetValue(json));
    string? wanted = parse.GetValue(only);
    foreach ((string name, Func<Report, Task> run) in new (string, Func<Report, Task>)[]
    {
        ("expand", static report =>
        {
            ExpandScenario.Run(report);
            return Task.CompletedTask;
        }),
        ("post", PostScenario.RunAsync),
        ("latency", LatencyScenario.RunAsync),
        ("loopback", LoopbackScenario.RunAsync),
        ("jitter", JitterScenario.RunAsync),
        ("idle", IdleScenario.RunAsync),
    })
    {
        if (wanted is null || name.Contains(wanted, StringComparison.Ordinal))
            // A thread of its own: scenarios pin themselves and must not leave that behind on a pool thread.
            await Task.Factory.StartNew(() => run(report).GetAwaiter().GetResult(), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    return 0;
});
var kv = new Command("kv", "KV-cache streaming: what layer-wise streaming adds to the time to first token, against sending everything at the end.");
kv.SetAction(async (parse, _) =>
{
    await KvScenario.RunAsync(new Report(parse.GetValue(json)));
    return 0;
});
var generators = new Command("generators", "The source generators' time in a build and after a keystroke, at the size of real models.");
generators.SetAction(parse =>
{
    GeneratorScenario.Run(new Report(parse.GetValue(json)), GeneratorCases.All);
    return 0;
});
var weights = new Command("weights", "Weight updates: the planner, whole updates in virtual time, conversion beside memcpy, and updates between processes beside the bare provider.")
{
    PlanCommand.Create(json), SimulateCommand.Create(json), ConvertCommand.Create(json), UpdateCommand.Create(json),
};
return await new RootCommand("garden-perf: measures Garden and prints each figure's ceiling beside it.") { engine, kv, generators, FabricCommand.Create(json), SoakCommand.Create(json), weights, DoctorCommand.Create(json), GpuCommand.Create(), ExpertsCommand.Create(json), BudgetsCommand.Create(json), json }.Parse(args).InvokeAsync();
