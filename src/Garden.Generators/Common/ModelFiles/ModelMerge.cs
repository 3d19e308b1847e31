using System.Globalization;

namespace Garden.Generators.ModelFiles;

/// <summary>Joins the arguments of an attribute with the model file it names; what does not fit goes to <paramref name="found"/>.</summary>
internal sealed class ModelMerge(string file, List<RuleViolation> found)
{
    /// <summary>The argument if given, else the file's number; GRDN0022 without either, GRDN0023 when they differ.</summary>
    public int? Number(string argument, int? given, FromModel model)
    {
        if (given is not int value)
        {
            if (model.Value is null)
                Lacks(argument, model.Source);
            return model.Value;
        }

        if (model.Value is int other && other != value)
            Contradicts(argument, value, Text(other), model.Source);
        return given;
    }

    /// <summary>GRDN0022.</summary>
    public void Lacks(string argument, string reason) => found.Add(new RuleViolation("GRDN0022", "Model", file, argument, reason));

    /// <summary>GRDN0023 when an argument is given that has no place in a model like this.</summary>
    public void Absent(string argument, int? given, string model, string source)
    {
        if (given is int value)
            Contradicts(argument, value, $"absent ({model})", source);
    }

    private void Contradicts(string argument, int value, string other, string source) =>
        found.Add(new RuleViolation("GRDN0023", argument, argument, Text(value), other, source, file));

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
