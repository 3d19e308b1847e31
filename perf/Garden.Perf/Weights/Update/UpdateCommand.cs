using System.CommandLine;

namespace Garden.Perf.Weights.Update;

/// <summary><c>garden-perf weights</c>: conversion beside memcpy, and a whole update between processes beside the bare provider.</summary>
internal static class UpdateCommand
{
    public static Command Create(Option<bool> json)
    {
        var rounds = new Option<int>("--rounds") { Description = "Updates that are measured.", DefaultValueFactory = static _ => 5 };
        var conversion = new Option<bool>("--conversion-only") { Description = "Only the conversion: nothing to install, a few seconds." };
        var node = new Option<int?>("--node") { Hidden = true };
        var directory = new Option<string?>("--directory") { Hidden = true };
        var command = new Command("weights", "Weight updates: BF16 to FP8 beside memcpy; 2 GiB from two trainer to two inference processes over tcp beside the same bytes on the bare provider.")
        {
            rounds, conversion, node, directory,
        };
        command.SetAction(async (parse, _) =>
        {
            try
            {
                if (parse.GetValue(node) is { } index)
                {
                    await UpdateNode.RunAsync(new UpdatePlan(parse.GetValue(directory)!), index);
                    return 0;
                }

                var report = new Report(parse.GetValue(json));
                ConversionScenario.Run(report);
                if (!parse.GetValue(conversion))
                    await UpdateScenario.RunAsync(report, parse.GetValue(rounds));
                return 0;
            }
            catch (Exception exception) when (exception is GardenException or InvalidDataException or TimeoutException)
            {
                await Console.Error.WriteLineAsync(exception.Message);
                return 1;
            }
        });
        return command;
    }
}
