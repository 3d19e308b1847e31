using System.Globalization;

namespace Garden.Testing;

/// <summary>
/// Tests that can do more than CI has time for: with <c>GARDEN_EXTENDED=50</c> in the environment fuzzers try 50 times as many inputs, and
/// checks of samples check everything.
/// </summary>
public static class Extended
{
    /// <summary>How many times more; 1 when nothing is asked for.</summary>
    public static int Times { get; } = int.TryParse(Environment.GetEnvironmentVariable("GARDEN_EXTENDED"), CultureInfo.InvariantCulture, out int times) && times > 1 ? times : 1;
}
