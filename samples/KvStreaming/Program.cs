using System.CommandLine;
using Garden;
using KvStreaming;

const int Interrupted = 130;
const int WrongData = 1;
const int Usage = 2;
const int Failed = 3;
const int DefaultRequests = 64;

using var interrupt = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    // The engines end in order; the second Ctrl-C ends the process at once.
    pressed.Cancel = !interrupt.IsCancellationRequested;
    interrupt.Cancel();
};

try
{
    ParseResult parsed = CommandLine.Create(RunAsync).Parse(args);
    int code = await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interrupt.Token);
    return parsed.Errors.Count > 0 ? Usage : code;
}
catch (UsageException exception)
{
    Console.Error.WriteLine(exception.Message);
    return Usage;
}
catch (Exception exception) when (exception is GardenException or TimeoutException)
{
    Console.Error.WriteLine(exception.Message);
    return Failed;
}
catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
{
    Console.Error.WriteLine("Interrupted.");
    return Interrupted;
}

static async Task<int> RunAsync(SampleOptions options, CancellationToken cancellationToken)
{
    IReadOnlyList<PromptRequest> requests = options.Trace is { } trace
        ? TraceReader.Read(trace, options.Requests)
        : new RequestGenerator(options.Seed).Generate(options.Requests ?? DefaultRequests);
    options.Validate();
    if (options.Role == Role.Prefill)
    {
        await (options.Fabric == FabricName.Nvlink ? GpuProcesses.PrefillAsync(options, requests, cancellationToken) : PrefillProcess.RunAsync(options, requests, cancellationToken));
        return 0;
    }

    Console.WriteLine($"seed {options.Seed}, {options.EffectiveLayers} layers, {options.Fabric}, {options.Nics} NICs, {(options.ReorderSeed is { } reorder ? $"out of order with seed {reorder}" : "in order")}, {Summary.Name(options.Placement)} pools");
    double memcpy = MemcpyCeiling.Measure();

    string ceiling = "memcpy of one core";
    ModelResult[] results;
    if (options.Fabric == FabricName.Nvlink)
    {
        (results, memcpy) = options.TwoProcesses || options.Role == Role.Decode
            ? await GpuProcesses.DecodeAsync(options, requests, cancellationToken)
            : await GpuStreaming.RunAsync(options, requests, cancellationToken);
        ceiling = "the driver's copy between the pools' devices";
    }
    else
    {
        results = await RunOnHostAsync(options, requests, cancellationToken);
    }

    var all = Summary.Of(results, memcpy);
    Reporter.PrintTable(results, memcpy, ceiling);
    Reporter.PrintErrors(results);
    bool verified = all.Errors == 0 && all.VerifiedBytes == all.Bytes;
    Console.WriteLine(verified ? $"All {all.Bytes:N0} bytes verified." : "FAILED: the data that arrived are not the data that were sent.");
    if (options.Json)
        Console.WriteLine(new JsonReport([.. results.Select(result => Summary.Of([result], memcpy))], options.Seed, options.ReorderSeed, options.Nics).ToJson(all));
    return verified ? 0 : WrongData;
}

static async Task<ModelResult[]> RunOnHostAsync(SampleOptions options, IReadOnlyList<PromptRequest> requests, CancellationToken cancellationToken) =>
    options.Fabric != FabricName.Loopback ? await DecodeProcess.RunAsync(options, requests, cancellationToken) :
    [
        await ProgressReport.RunAsync(DeepSeekV3.Name, requests.Count, progress => StreamingJob.RunAsync<DeepSeekV3, DeepSeekV3.Transfer>(
            DeepSeekV3.Name, DeepSeekV3.TailBytes, DeepSeekV3.Channel, options, requests, progress, cancellationToken)),
        await ProgressReport.RunAsync(Llama70B.Name, requests.Count, progress => StreamingJob.RunAsync<Llama70B, Llama70B.Transfer>(
            Llama70B.Name, Llama70B.TailBytes, Llama70B.Channel, options, requests, progress, cancellationToken)),
    ];
