using System.CommandLine;

namespace Garden.Perf.Weights.Update;

/// <summary><c>garden-perf weights convert</c>: BF16 to FP8 with block scales on one core.</summary>
internal static class ConvertCommand
{
    public static Command Create(Option<bool> json)
    {
        var command = new Command("convert", "BF16 to FP8 e4m3 with 128 x 128 block scales on one core, beside a copy of the same bytes and the scalar reference.");
        command.SetAction(parse =>
        {
            ConversionScenario.Run(new Report(parse.GetValue(json)));
            return 0;
        });
        return command;
    }
}
