namespace Garden.Testing;

/// <summary>Backends a machine may lack. Tests skip with a reason; <c>GARDEN_REQUIRE=tcp,shm</c> in the environment makes that a failure.</summary>
public static class Backends
{
    /// <summary>Skips the running test when a backend is not there, or fails it when the backend is required.</summary>
    /// <param name="name">The backend's name as it stands in GARDEN_REQUIRE.</param>
    /// <param name="isPresent">Whether it is there.</param>
    /// <param name="install">How to get it.</param>
    public static void Require(string name, bool isPresent, string install)
    {
        if (isPresent)
            return;
        string reason = $"{name} is not here; to run this test: {install}";
        Assert.False(IsRequired(name), $"GARDEN_REQUIRE asks for {name}, but {reason}");
        Assert.Skip(reason);
    }

    /// <summary>True when GARDEN_REQUIRE names the backend.</summary>
    public static bool IsRequired(string name) =>
        (Environment.GetEnvironmentVariable("GARDEN_REQUIRE") ?? "")
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Contains(name, StringComparer.Ordinal);
}
