using Garden.Weights;

namespace WeightSync;

/// <summary>For <c>--kill</c>: in the middle of the last step a trainer rank says so and waits until the victim is dead.</summary>
internal sealed class MidUpdate(IWeightSource inner, string place, int tensor) : IWeightSource
{
    public const string FileName = "mid-update";

    /// <summary>Set before the step in which it happens.</summary>
    public bool IsArmed { get; set; }

    public async ValueTask LoadAsync(int number, WeightHolding holding, nint memory, CancellationToken cancellationToken)
    {
        if (IsArmed && number == tensor)
        {
            IsArmed = false;
            string signal = Path.Combine(place, FileName);
            await File.WriteAllTextAsync(signal, "", cancellationToken);
            while (File.Exists(signal))
                await Task.Delay(5, cancellationToken);
        }

        await inner.LoadAsync(number, holding, memory, cancellationToken);
    }
}
