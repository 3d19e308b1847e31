using System.CommandLine;
using Garden;
using WeightSync;

const int Usage = 2;
const int Failed = 3;
const int Interrupted = 130;

try
{
    ParseResult parsed = CommandLine.Create(RunAsync).Parse(args);
    int code = await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false });
    return parsed.Errors.Count > 0 ? Usage : code;
}
catch (UsageException exception)
{
    Console.Error.WriteLine(exception.Message);
    return Usage;
}
catch (Exception exception) when (exception is GardenException or TimeoutException or IOException)
{
    Console.Error.WriteLine(exception.Message);
    return Failed;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Interrupted.");
    return Interrupted;
}

static Task<int> RunAsync(SampleOptions options, CancellationToken cancellationToken)
{
    options.Validate();
    return options.Model == ModelName.TinyMoe ? Job<TinyMoe>.RunAsync(options, cancellationToken) : Job<Llama8B>.RunAsync(options, cancellationToken);
}
