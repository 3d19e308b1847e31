using System.CommandLine;
using System.Text.Json;
using ExpertParallel;
using ExpertParallel.Processes;
using Garden;

const int WrongData = 1;
const int Usage = 2;
const int Failed = 3;

var ranks = new Option<int>("--ranks") { Description = "Ranks, all in this process.", DefaultValueFactory = static _ => 4 };
var perNode = new Option<int>("--per-node") { Description = "Ranks of one node: they write into each other's memory; the others are reached by the fabric.", DefaultValueFactory = static _ => 2 };
var tokens = new Option<int>("--tokens") { Description = "Tokens of a rank and round, at most.", DefaultValueFactory = static _ => 8 };
var rounds = new Option<int>("--rounds") { Description = "Rounds.", DefaultValueFactory = static _ => 3 };
var zipf = new Option<bool>("--zipf") { Description = "Skewed choices instead of uniform ones." };
var bf16 = new Option<bool>("--bf16") { Description = "BF16 rows instead of FP8." };
var fabric = new Option<FabricName>("--fabric") { Description = "What carries rows between nodes: Loopback, or Tcp (libfabric must be installed)." };
var cuda = new Option<int?>("--cuda") { Description = "A CUDA device for all ranks, which are one node then; without it, ILGPU's CPU accelerator." };
var seed = new Option<int>("--seed") { Description = "Seed of tokens and choices.", DefaultValueFactory = static _ => 1 };
var corrupt = new Option<bool>("--corrupt") { Description = "Spoil one result: the run must notice and fail." };
var json = new Option<bool>("--json") { Description = "Print the figures as one JSON object." };
var processes = new Option<bool>("--processes") { Description = "A process a rank, over tcp (libfabric must be installed)." };
var kill = new Option<int?>("--kill") { Description = "With --processes: kill this rank in the middle of a dispatch; the others name it, go on without it, and take it in again." };
var role = new Option<int?>("--rank") { Description = "Be this rank of a job that another process leads.", Hidden = true };
var command = new RootCommand("Sends tokens to the ranks of their experts and back, DeepSeek-V3's shape, and compares with a dense model in double precision.")
{
    ranks, perNode, tokens, rounds, zipf, bf16, fabric, cuda, seed, corrupt, json, processes, kill, role,
};
command.SetAction(async (parsed, cancellationToken) =>
{
    var options = new SampleOptions
    {
        Ranks = parsed.GetValue(ranks),
        RanksPerNode = parsed.GetValue(cuda) is null ? parsed.GetValue(perNode) : parsed.GetValue(ranks),
        Tokens = parsed.GetValue(tokens),
        Rounds = parsed.GetValue(rounds),
        Zipf = parsed.GetValue(zipf),
        Bf16 = parsed.GetValue(bf16),
        Fabric = parsed.GetValue(fabric),
        CudaDevice = parsed.GetValue(cuda),
        Seed = parsed.GetValue(seed),
        Corrupt = parsed.GetValue(corrupt),
        Json = parsed.GetValue(json),
        Processes = parsed.GetValue(processes),
        Kill = parsed.GetValue(kill),
        Rank = parsed.GetValue(role),
    };
    try
    {
        if (options.Rank is { } rank)
            return options.Bf16 ? await RankServer<DeepSeekV3Bf16>.RunAsync(options, rank, cancellationToken) : await RankServer<DeepSeekV3>.RunAsync(options, rank, cancellationToken);
        if (options.Processes)
            return await ProcessJob.RunAsync(options, cancellationToken);
        JobResult result = options.Bf16 ? await ExpertJob.RunAsync<DeepSeekV3Bf16>(options, cancellationToken) : await ExpertJob.RunAsync<DeepSeekV3>(options, cancellationToken);
        Console.WriteLine(options.Json
            ? JsonSerializer.Serialize(result)
            : $"{options.Ranks} ranks, {options.RanksPerNode} a node, {options.Rounds} rounds: {result.RemoteRows} rows ({result.RemoteBytes:N0} bytes) left their rank for {result.RemoteChoices} choices; cosine difference {result.CosineDifference:0.0e+0} of {result.Allowed:0.0e+0} allowed; {result.Elapsed.TotalSeconds:0.0} s with experts and verification");
        if (result.IsRight)
            return 0;
        Console.Error.WriteLine("FAILED: what came back is not what the dense model computes.");
        return WrongData;
    }
    catch (Exception exception) when (exception is GardenException or TimeoutException)
    {
        Console.Error.WriteLine(exception.Message);
        return Failed;
    }
});
ParseResult line = command.Parse(args);
int code = await line.InvokeAsync();
return line.Errors.Count > 0 ? Usage : code;
